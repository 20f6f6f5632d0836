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

// newModel makes an archive, without its ETag if that is not wanted: each local
// header is copied to it by [io.Copy], which takes 32 KiB for the purpose.
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
	order := binary.LittleEndian
	var directory bytes.Buffer
	for _, s := range sources {
		at := m.size
		var local bytes.Buffer
		fields(&local, localSize, s.FileHeader, 0)
		rendered(&local)
		m.add(s.data, int64(s.UncompressedSize64))
		descriptor := order.AppendUint32(make([]byte, 0, 16), 0x08074b50)
		descriptor = order.AppendUint32(descriptor, s.CRC32)
		descriptor = order.AppendUint32(descriptor, uint32(s.CompressedSize64))
		descriptor = order.AppendUint32(descriptor, uint32(s.UncompressedSize64))
		m.add(bytes.NewReader(descriptor), int64(len(descriptor)))
		if tag {
			etag.Write(descriptor)
		}
		fields(&directory, directorySize, s.FileHeader, at)
	}
	rendered(&directory)
	etag.Sum(m.etag[:0])
	return m
}

// Bytes of a header before its name.
const localSize, directorySize = 30, 46

// fields writes a header as three pieces: fixed fields, name, extra field with the time.
// What matters here is that it is as long as a real one, and written in as many pieces.
func fields(b *bytes.Buffer, size int, h *zip.FileHeader, offset int64) {
	order := binary.LittleEndian
	year, month, day := h.Modified.Date()
	hour, minute, second := h.Modified.Clock()
	f := make([]byte, 0, directorySize)
	f = order.AppendUint32(f, 0x04034b50)
	f = order.AppendUint16(f, uint16(second/2|minute<<5|hour<<11))
	f = order.AppendUint16(f, uint16(day|int(month)<<5|(year-1980)<<9))
	f = order.AppendUint32(f, h.CRC32)
	f = order.AppendUint32(f, uint32(h.CompressedSize64))
	f = order.AppendUint32(f, uint32(h.UncompressedSize64))
	f = order.AppendUint16(f, uint16(len(h.Name)))
	f = order.AppendUint32(f, uint32(offset))
	b.Write(f[:size])
	b.WriteString(h.Name)
	extra := order.AppendUint32([]byte{'U', 'T', 5, 0, 1}, uint32(h.Modified.Unix()))
	b.Write(extra)
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
		k, err := m.parts[i].data.readAt(context.Background(), q, at-m.parts[i].offset)
		n += k
		if err != nil && (err != io.EOF || k < len(q)) {
			return n, err
		}
	}
	return n, nil
}
