package main

import "context"

// javaReaders are the JDK's libraries and those of Debian's Java packages.
var javaReaders = []reader{
	{
		name:  "Java java.util.zip.ZipFile",
		from:  "default-jdk-headless",
		tells: size | crc | content | mtime,
		read:  javaAdapter("ZipFile"),
	},
	{
		name:  "Java java.util.jar.JarFile",
		from:  "default-jdk-headless",
		tells: size | crc | content | mtime,
		read:  javaAdapter("JarFile"),
	},
	{
		name:  "Java java.util.zip.ZipInputStream",
		from:  "default-jdk-headless",
		tells: size | crc | content | mtime,
		read:  javaAdapter("ZipInputStream"),
	},
	{
		name:  "Java jdk.zipfs",
		from:  "default-jdk-headless",
		tells: size | crc | content | modes | mtime | unsorted,
		read:  javaAdapter("zipfs"),
	},
	{
		name:  "Java commons-compress ZipFile",
		from:  "libcommons-compress-java",
		tells: size | crc | content | modes | links | mtime | owners,
		read:  javaAdapter("commons-compress-ZipFile"),
	},
	{
		name:  "Java commons-compress ZipArchiveInputStream",
		from:  "libcommons-compress-java",
		tells: size | crc | content | mtime | owners,
		read:  javaAdapter("commons-compress-ZipArchiveInputStream"),
	},
	{
		name:  "Java zip4j ZipFile",
		from:  "libzip4j-java",
		tells: size | crc | content | modes | links | dosTime,
		read:  javaAdapter("zip4j-ZipFile"),
	},
	{
		name:  "Java zip4j ZipInputStream",
		from:  "libzip4j-java",
		tells: size | crc | content | dosTime,
		read:  javaAdapter("zip4j-ZipInputStream"),
	},
	{
		name:  "Java Ant ZipFile",
		from:  "ant",
		tells: size | crc | content | modes | links | mtime,
		read:  javaAdapter("ant-ZipFile"),
	},
}

// javaAdapter is the adapter's read function for one of its readers. The jars stand
// beside its classes.
func javaAdapter(reader string) func(context.Context, *workplace, string) ([]entry, error) {
	return adapter("java", "-cp", "$OUT/java:$OUT/java/*", "Adapter", reader)
}
