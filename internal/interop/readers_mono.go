package main

// monoReaders are Mono's own library and the one that Debian packages for it.
var monoReaders = []reader{
	{
		name:  "Mono System.IO.Compression.ZipArchive",
		from:  "libmono-system-io-compression4.0-cil",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("mono", "$OUT/mono/Adapter.exe", "ZipArchive"),
	},
	{
		name:  "Mono SharpZipLib ZipFile",
		from:  "libmono-sharpzip4.84-cil",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("mono", "$OUT/mono/Adapter.exe", "SharpZipLib-ZipFile"),
	},
	{
		name:  "Mono SharpZipLib ZipInputStream",
		from:  "libmono-sharpzip4.84-cil",
		tells: size | crc | content | dosTime,
		read:  adapter("mono", "$OUT/mono/Adapter.exe", "SharpZipLib-ZipInputStream"),
	},
}
