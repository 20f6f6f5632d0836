# OCaml. The compiler leaves files beside its source, hence the copy.
ALL += $(OUT)/ocaml/camlzip

$(OUT)/ocaml/camlzip: ocaml/camlzip.ml ocaml/build.mk
	@mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && ocamlfind ocamlopt -thread -package zip,sha,threads.posix -linkpkg camlzip.ml -o $@
