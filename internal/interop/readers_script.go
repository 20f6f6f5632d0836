package main

// scriptReaders are the libraries of Python, Perl, PHP, Ruby, Tcl and Erlang.
var scriptReaders = []reader{
	{
		name:  "Python zipfile",
		from:  "python3",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("python3", "$ADAPTERS/script/read.py", "zipfile"),
	},
	{
		name:  "Python zipimport",
		from:  "python3",
		tells: size | crc | content | dosTime,
		read:  adapter("python3", "$ADAPTERS/script/read.py", "zipimport"),
	},
	{
		name:  "Perl Archive::Zip",
		from:  "libarchive-zip-perl",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("perl", "$ADAPTERS/script/read.pl", "archive-zip"),
	},
	{
		name:  "Perl IO::Uncompress::Unzip",
		from:  "perl",
		tells: size | crc | content | dosTime,
		read:  adapter("perl", "$ADAPTERS/script/read.pl", "unzip"),
	},
	{
		name:  "PHP ZipArchive",
		from:  "php-zip",
		tells: size | crc | content | modes | links | dosTime,
		read:  adapter("php", "$ADAPTERS/script/read.php", "ziparchive"),
	},
	{
		name:  "PHP PharData",
		from:  "php-cli",
		tells: size | crc | content | dosTime | unsorted,
		read:  adapter("php", "$ADAPTERS/script/read.php", "phardata"),
	},
	{
		name:  "PHP PclZip",
		from:  "php-pclzip",
		tells: size | crc | content | dosTime,
		read:  adapter("php", "$ADAPTERS/script/read.php", "pclzip"),
	},
	{
		name:  "Ruby Zip::File",
		from:  "ruby-zip",
		tells: size | crc | content | modes | links | mtime,
		read:  adapter("ruby", "$ADAPTERS/script/read.rb", "zip-file"),
	},
	{
		name:  "Ruby Zip::InputStream",
		from:  "ruby-zip",
		tells: size | crc | content | mtime,
		read:  adapter("ruby", "$ADAPTERS/script/read.rb", "zip-input-stream"),
	},
	{
		name:  "Ruby Archive::Zip",
		from:  "ruby-archive-zip",
		tells: size | crc | content | modes | links | mtime,
		read:  adapter("ruby", "$ADAPTERS/script/read.rb", "archive-zip"),
	},
	{
		name:  "Tcl zipfile::decode",
		from:  "tcllib",
		tells: size | crc | content | modes | links | dosTime | unsorted,
		read:  adapter("tclsh", "$ADAPTERS/script/read.tcl", "zipfile"),
	},
	{
		name:  "Tcl vfs::zip",
		from:  "tcl-vfs",
		tells: size | content | modes | links | dosTime | unsorted,
		read:  adapter("tclsh", "$ADAPTERS/script/read.tcl", "vfs"),
	},
	{
		name:  "Erlang zip",
		from:  "erlang-base",
		tells: size | content,
		read:  adapter("escript", "$ADAPTERS/script/read.escript", "zip"),
	},
	{
		name:  "Erlang zip:foldl",
		from:  "erlang-base",
		tells: size | content,
		read:  adapter("escript", "$ADAPTERS/script/read.escript", "foldl"),
	},
}
