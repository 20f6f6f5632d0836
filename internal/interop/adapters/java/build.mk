# The JVM's readers: the JDK's own, and those of libcommons-compress-java,
# libzip4j-java and ant.

ALL += $(OUT)/java/.built

java_jars := $(addprefix /usr/share/java/, commons-compress.jar zip4j.jar ant.jar)
java_sources := $(wildcard java/*.java)

# Beside the classes, the jars need no further mention in the class path.
# No "path": Debian's manifests name optional jars that are not there.
$(OUT)/java/.built: $(java_sources) $(java_jars) java/build.mk
	@mkdir -p $(@D)
	ln -sf $(java_jars) $(@D)
	javac -Xlint:all,-path --release 17 -encoding UTF-8 -cp '$(@D)/*' -d $(@D) $(java_sources)
	touch $@
