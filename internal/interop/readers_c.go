package main

// cReaders are the libraries of C and C++, and those of D, OCaml and Rust.
var cReaders = []reader{
	{
		name:  "libzip",
		from:  "libzip-dev",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("$OUT/c/libzip"),
	},
	{
		name:  "minizip",
		from:  "libminizip-dev",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("$OUT/c/minizip"),
	},
	{
		name:  "zziplib",
		from:  "libzzip-dev",
		tells: size | content,
		read:  adapter("$OUT/c/zziplib"),
	},
	{
		name:  "PhysicsFS",
		from:  "libphysfs-dev",
		tells: size | content | links | dosTime | unsorted,
		read:  adapter("$OUT/c/physfs"),
	},
	{
		name:  "libgsf",
		from:  "libgsf-1-dev",
		tells: size | content | unsorted,
		read:  adapter("$OUT/c/libgsf"),
	},
	{
		name:  "Poco::Zip",
		from:  "libpoco-dev",
		tells: size | crc | content | dosTime | unsorted,
		read:  adapter("$OUT/c/poco"),
	},
	{
		name:  "QuaZip",
		from:  "libquazip1-qt5-dev",
		tells: size | crc | content | modes | links | mtime,
		read:  adapter("$OUT/c/quazip"),
	},
	{
		name:  "KArchive KZip",
		from:  "libkf5archive-dev",
		tells: size | content | modes | links | mtime | unsorted,
		read:  adapter("$OUT/c/karchive"),
	},
	{
		name:  "Zipios++",
		from:  "libzipios++-dev",
		tells: size | crc | content | dosTime,
		read:  adapter("$OUT/c/zipios"),
	},
	{
		name:  "Android libziparchive",
		from:  "android-libziparchive-dev",
		tells: size | crc | content | modes | links | dosTime | unsorted,
		read:  adapter("$OUT/c/ziparchive"),
	},
	{
		name:  "wxWidgets wxZipInputStream",
		from:  "libwxgtk3.2-dev",
		tells: size | crc | content | modes | dosTime,
		read:  adapter("$OUT/c/wx", "file"),
	},
	{
		name:  "wxWidgets wxZipInputStream from a stream",
		from:  "libwxgtk3.2-dev",
		tells: size | crc | content | dosTime,
		read:  adapter("$OUT/c/wx", "stream"),
	},
	{
		name:  "D std.zip",
		from:  "gdc",
		tells: size | crc | content | modes | links | dosTime | unsorted,
		read:  adapter("$OUT/d/stdzip"),
	},
	{
		name:  "OCaml camlzip",
		from:  "libzip-ocaml-dev",
		tells: size | crc | content | dosTime,
		read:  adapter("$OUT/ocaml/camlzip"),
	},
	{
		name:  "Rust zip",
		from:  "librust-zip-dev",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("$OUT/rust/release/vzip-interop", "file"),
	},
	{
		name:  "Rust zip from a stream",
		from:  "librust-zip-dev",
		tells: size | crc | content | dosTime,
		read:  adapter("$OUT/rust/release/vzip-interop", "stream"),
	},
}
