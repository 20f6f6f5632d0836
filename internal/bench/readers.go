package main

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

func init() {
	children = map[string]func([]string) error{
		"loopback": loopbackChild,
		"read":     readChild,
	}
}

// readChild reads files from end to end: BYTES FILE..., that many bytes with each
// read(2).
func readChild(args []string) error {
	if len(args) < 2 {
		return errors.New("BYTES FILE...")
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
