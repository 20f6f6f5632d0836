package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"io"
	"sort"
)

// model is an archive as zipserve keeps one: every header rendered beforehand, a
// reader for it, for the data and for the data descriptor of each entry, and an ETag
// of all of them.
type model struct {
	parts []part
	size  int64
	etag  [md5.Size]byte
}

// part is a run of archive bytes.
type part struct {
	offset int64
	data   readerAt
}

// readerAt is an io.ReaderAt that a request can be given up in.
type readerAt interface {
	readAt(ctx context.Context, p []byte, off int64) (int, error)
}

type plain struct{ io.ReaderAt }

func (r plain) readAt(_ context.Context, p []byte, off int64) (int, error) { return r.ReadAt(p, off) }

// source is an entry with its data.
type source struct {
	*zip.FileHeader
	data io.ReaderAt
}

func (m *model) add(r io.ReaderAt, size int64) {
	m.parts = append(m.parts, part{m.size, plain{r}})
	m.size += size
}

// newModel makes an archive, without its ETag if that is not wanted: each header's part
// of it is copied by [io.Copy], which takes 32 KiB for the purpose.
func newModel(sources []source, tag bool) *model {
	m := &model{}
	etag := md5.New()
	rendered := func(b *bytes.Buffer) {
		r := bytes.NewReader(b.Bytes())
		m.add(r, r.Size())
		if tag {
			io.Copy(etag, io.NewSectionReader(r, 0, r.Size())) // in memory: it does not fail
		}
	}
	var directory bytes.Buffer
	for _, s := range sources {
		at := m.size
		var local, descriptor bytes.Buffer
		fields(&local, "PK\x03\x04", s.FileHeader, 0)
		rendered(&local)
		m.add(s.data, int64(s.UncompressedSize64))
		descriptor.WriteString("PK\x07\x08")
		numbers(&descriptor, s.CRC32, uint32(s.CompressedSize64), uint32(s.UncompressedSize64))
		rendered(&descriptor)
		fields(&directory, "PK\x01\x02", s.FileHeader, at)
	}
	rendered(&directory)
	etag.Sum(m.etag[:0])
	return m
}

// fields writes a header: what matters here is that it has as many fields as a real one.
func fields(b *bytes.Buffer, signature string, h *zip.FileHeader, offset int64) {
	b.WriteString(signature)
	if offset > 0 {
		numbers(b, h.ExternalAttrs, uint32(offset), uint32(offset>>32), 0)
	}
	numbers(b, 20, uint32(h.Modified.Unix()), h.CRC32, uint32(h.CompressedSize64), uint32(h.UncompressedSize64), uint32(len(h.Name)))
	b.WriteString(h.Name)
	numbers(b, 5<<16|0x5455, uint32(h.Modified.Unix()))
}

func numbers(b *bytes.Buffer, v ...uint32) {
	var word [4]byte
	for _, v := range v {
		binary.LittleEndian.PutUint32(word[:], v)
		b.Write(word[:])
	}
}

// ReadAt implements [io.ReaderAt].
func (m *model) ReadAt(p []byte, off int64) (n int, err error) {
	end := func(i int) int64 {
		if i+1 < len(m.parts) {
			return m.parts[i+1].offset
		}
		return m.size
	}
	for i := sort.Search(len(m.parts), func(i int) bool { return end(i) > off }); n < len(p); i++ {
		if i == len(m.parts) {
			return n, io.EOF
		}
		at := off + int64(n)
		q := p[n:min(len(p), n+int(end(i)-at))]
		k, err := m.parts[i].data.readAt(context.TODO(), q, at-m.parts[i].offset)
		n += k
		if err != nil && (err != io.EOF || k < len(q)) {
			return n, err
		}
	}
	return n, nil
}
