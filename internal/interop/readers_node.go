package main

import "context"

// nodeReaders are libraries for Node.js. That jszip, pizzip and uzip are unsorted is
// because they keep entries in an object, which puts names like "7" first.
var nodeReaders = []reader{
	{
		name:  "Node yauzl",
		from:  "npm yauzl 3.4.0",
		tells: size | crc | content | modes | links | mtime,
		read:  nodeAdapter("yauzl"),
	},
	{
		name:  "Node yauzl 2 (of extract-zip)",
		from:  "npm yauzl 2.10.0",
		tells: size | crc | content | modes | links | dosTime,
		read:  nodeAdapter("yauzl2"),
	},
	{
		name:  "Node yauzl-promise",
		from:  "npm yauzl-promise 4.0.0",
		tells: size | crc | content | modes | links | dosTime,
		read:  nodeAdapter("yauzlPromise"),
	},
	{
		name:  "Node unzipper Open.file",
		from:  "npm unzipper 0.12.5",
		tells: size | crc | content | modes | links | dosTime,
		read:  nodeAdapter("unzipperOpen"),
	},
	{
		name:  "Node unzipper Parse",
		from:  "npm unzipper 0.12.5",
		tells: size | crc | content | dosTime,
		read:  nodeAdapter("unzipperParse"),
	},
	{
		name:  "Node fflate unzipSync",
		from:  "npm fflate 0.8.3",
		tells: size | content,
		read:  nodeAdapter("fflateSync"),
	},
	{
		name:  "Node fflate Unzip",
		from:  "npm fflate 0.8.3",
		tells: size | content,
		read:  nodeAdapter("fflateUnzip"),
	},
	{
		name:  "Node zip.js",
		from:  "npm @zip.js/zip.js 2.24.0",
		tells: size | crc | content | modes | links | mtime | owners,
		read:  nodeAdapter("zipjs"),
	},
	{
		name:  "Node jszip",
		from:  "npm jszip 3.10.2",
		tells: content | modes | links | dosTime | unsorted,
		read:  nodeAdapter("jszip"),
	},
	{
		name:  "Node pizzip",
		from:  "npm pizzip 3.3.0",
		tells: content | modes | links | dosTime | unsorted,
		read:  nodeAdapter("pizzip"),
	},
	{
		name:  "Node adm-zip",
		from:  "npm adm-zip 0.6.1",
		tells: size | crc | content | modes | links | dosTime,
		read:  nodeAdapter("admZip"),
	},
	{
		name:  "Node node-stream-zip",
		from:  "npm node-stream-zip 1.16.0",
		tells: size | crc | content | modes | links | dosTime,
		read:  nodeAdapter("nodeStreamZip"),
	},
	{
		name:  "Node unzip-stream",
		from:  "npm unzip-stream 0.3.4",
		tells: size | content,
		read:  nodeAdapter("unzipStream"),
	},
	{
		name:  "Node unzipit",
		from:  "npm unzipit 2.1.1",
		tells: size | content | modes | links | dosTime,
		read:  nodeAdapter("unzipit"),
	},
	{
		name:  "Node @endo/zip",
		from:  "npm @endo/zip 1.1.0",
		tells: content | dosTime | noDirs,
		read:  nodeAdapter("endo"),
	},
	{
		name:  "Node uzip",
		from:  "npm uzip 0.20201231.0",
		tells: size | content | unsorted,
		read:  nodeAdapter("uzip"),
	},
	{
		name:  "Node but-unzip",
		from:  "npm but-unzip 0.1.10",
		tells: content,
		read:  nodeAdapter("butUnzip"),
	},
	{
		name:  "Node Yarn's libzip",
		from:  "npm @yarnpkg/libzip 3.2.2",
		tells: size | crc | content | links,
		read:  nodeAdapter("yarnLibzip"),
	},
	{
		name:  "Node Yarn's JsZipImpl",
		from:  "npm @yarnpkg/libzip 3.2.2",
		tells: size | crc | content | links,
		read:  nodeAdapter("yarnJS"),
	},
	{
		name:  "Node zip",
		from:  "npm zip 1.2.0",
		tells: content,
		read:  nodeAdapter("zip"),
	},
}

func nodeAdapter(library string) func(context.Context, *workplace, string) ([]entry, error) {
	return adapter("node", "$OUT/node/read.mjs", library)
}
