package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func init() {
	children = map[string]func([]string) error{
		"loopback": loopbackChild,
		"read":     readChild,
		"random":   randomChild,
		"mmap":     mmapChild,
		"crc":      crcChild,
		"deflate":  deflateChild,
		"gozip":    goZIPChild,
		"ranges":   rangesChild,
		"serve":    fileServerChild,
	}
}

// readChild reads files from end to end: BYTES FILE..., that many bytes with each
// read(2).
func readChild(args []string) error {
	if len(args) < 2 {
		return errors.New("the words are BYTES FILE, and more files")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil || size < 1 {
		return fmt.Errorf("%q is no number of bytes", args[0])
	}
	buffer := make([]byte, size)
	for _, file := range args[1:] {
		if err := readFile(file, buffer); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func readFile(path string, buffer []byte) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		switch n, err := unix.Read(fd, buffer); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return nil
		}
	}
}

// mmapChild reads a file through a mapping: FILE.
func mmapChild(args []string) error {
	if len(args) != 1 {
		return errors.New("the word is FILE")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	sum := uint64(0)
	for i := 0; i+8 <= len(data); i += 8 {
		sum += binary.LittleEndian.Uint64(data[i:])
	}
	fmt.Println(sum) // so that it is worked out
	return unix.Munmap(data)
}

// forget has the kernel drop what it keeps of a file.
func forget(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
}
