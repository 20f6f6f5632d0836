module vzip-interop

go 1.26
