module vzip

go 1.26.8

require golang.org/x/sys v0.50.0

require github.com/klauspost/crc32 v1.3.0
