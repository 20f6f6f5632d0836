# Mono's readers: its own, and that of libmono-sharpzip4.84-cil.

ALL += $(OUT)/mono/Adapter.exe

# CS0618: Mono calls its copy of SharpZipLib obsolete.
$(OUT)/mono/Adapter.exe: mono/Adapter.cs mono/build.mk
	@mkdir -p $(@D)
	mcs -nowarn:0618 -o+ -out:$@ -r:System.IO.Compression -r:ICSharpCode.SharpZipLib mono/Adapter.cs
