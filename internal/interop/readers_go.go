package main

// goReaders are the libraries of Go.
var goReaders = []reader{
	{
		name:  "Go archive/zip",
		from:  "Go's standard library",
		tells: size | crc | content | modes | links | mtime,
		read:  adapter("$OUT/go/archivezip"),
	},
}
