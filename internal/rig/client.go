package rig

import (
	"fmt"
	"math/rand/v2"
)

// Client reads an archive at random places, and judges what it gets. It may be
// used by several goroutines, each with numbers of its own.
type Client struct {
	Path string
	// Judge returns the judge of the generation that an inode number stands for;
	// nil: there is none such.
	Judge  func(ino uint64) *Judge
	Counts *Counts
	// Most is the longest read, in bytes, up to 2 MiB; 0: that.
	Most int
	// Cached is how many of 100 reads may be answered by the kernel's memory.
	Cached int
	// Forget has the kernel drop what it has of the file before one of so many reads
	// that may be answered by it; 0: never.
	Forget int
}

// Session opens the archive, reads n times, and closes it. An error is a
// *Violation, or something that has to do with the test's own machine.
func (c *Client) Session(rnd *rand.Rand, n int) error {
	r, err := OpenCurrent(c.Path)
	if err != nil {
		v, err := c.Judge(0).Open(err)
		if err == nil {
			c.Counts.Add(Read, v, 0)
		}
		return err
	}
	defer r.Close()
	for range n {
		if err := c.ReadOnce(r, rnd); err != nil {
			return err
		}
	}
	return nil
}

// Hold reads from one handle until done says so, and closes it.
func (c *Client) Hold(r *Reader, rnd *rand.Rand, done func() bool) error {
	defer r.Close()
	for !done() {
		if err := c.ReadOnce(r, rnd); err != nil {
			return err
		}
	}
	return nil
}

// ReadOnce reads once from an open archive.
func (c *Client) ReadOnce(r *Reader, rnd *rand.Rand) error {
	j := c.Judge(r.Ino)
	if j == nil {
		return &Violation{Text: fmt.Sprintf("inode %d is no generation's", r.Ino)}
	}
	if r.Size != j.Oracle.Size() {
		return &Violation{Text: fmt.Sprintf("the size is %d, want %d", r.Size, j.Oracle.Size())}
	}
	op := Op(rnd.IntN(int(Direct)))
	if rnd.IntN(100) >= c.Cached {
		op = Direct + Op(rnd.IntN(int(Ops-Direct)))
	} else if c.Forget > 0 && rnd.IntN(c.Forget) == 0 {
		r.Forget()
	}
	most := c.Most
	if most == 0 {
		most = maxRead
	}
	off, length := j.Oracle.Draw(rnd, most)
	got, used, err := r.Read(op, off, length)
	v, err := j.Read(used, off, length, got, err)
	if err != nil {
		return err
	}
	c.Counts.Add(used, v, len(got))
	return nil
}
