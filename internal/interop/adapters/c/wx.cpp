// wxWidgets' wxZipInputStream. The first argument says how it gets the archive:
// "file", where it looks into the central directory ahead, or "stream". It makes
// files of symbolic links, whose type it doesn't let through.
#include "adapter.h"
#include <memory>
#include <wx/init.h>
#include <wx/log.h>
#include <wx/wfstream.h>
#include <wx/zipstrm.h>

// plain is a stream that can't seek.
class plain : public wxFileInputStream {
public:
	using wxFileInputStream::wxFileInputStream;
	bool IsSeekable() const override { return false; }
	wxFileOffset GetLength() const override { return wxInvalidOffset; }

protected:
	wxFileOffset OnSysSeek(wxFileOffset, wxSeekMode) override { return wxInvalidOffset; }
};

static void entry(wxZipInputStream &archive, wxZipEntry &e, bool streaming)
{
	static char piece[PIECE];
	wxCharBuffer name = e.GetName(wxPATH_UNIX).utf8_str();
	unsigned mode = !streaming && e.IsMadeByUnix() ? e.GetExternalAttributes() >> 16 : 0;
	char type = e.IsDir() ? 'd' : type_of(mode, name);
	put_name(name, type);
	printf(" size=%lld crc=%08x mtime=%lld", (long long)e.GetSize(), unsigned(e.GetCrc()),
	       (long long)e.GetDateTime().GetValue().GetValue() / 1000);
	if (mode)
		printf(" mode=%o", mode);
	if (type != 'd') {
		sha_start();
		while (archive.Read(piece, sizeof piece).LastRead() > 0)
			sha_add(piece, archive.LastRead());
		if (!archive.Eof()) // a wrong CRC too
			fail("%s: can't read", name.data());
		put_sha();
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	wxInitializer wx;
	wxLog::SetActiveTarget(new wxLogStderr);
	wxString path = wxString::FromUTF8(archive_of(argc, argv));
	bool streaming = !strcmp(argv[1], "stream");
	std::unique_ptr<wxInputStream> file(streaming ? new plain(path) : new wxFileInputStream(path));
	wxZipInputStream archive(*file, wxConvUTF8);
	std::unique_ptr<wxZipEntry> e;
	while (e.reset(archive.GetNextEntry()), e)
		entry(archive, *e, streaming);
	if (!archive.Eof())
		fail("can't read the archive");
	return done();
}
