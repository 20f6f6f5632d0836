// Poco's Zip library.
#include "adapter.h"
#include <Poco/Exception.h>
#include <Poco/Zip/ZipArchive.h>
#include <Poco/Zip/ZipStream.h>
#include <fstream>

using namespace Poco::Zip;

static void entry(std::istream &in, const ZipLocalFileHeader &header)
{
	static char piece[PIECE];
	const std::string &name = header.getFileName();
	char type = header.isDirectory() ? 'd' : 'f';
	put_name(name.c_str(), type);
	printf(" size=%llu crc=%08x mtime=%lld", (unsigned long long)header.getUncompressedSize(),
	       header.getCRC(), (long long)header.lastModifiedAt().timestamp().epochTime());
	if (type != 'd') {
		ZipInputStream data(in, header);
		sha_start();
		while (data.read(piece, sizeof piece), data.gcount() > 0)
			sha_add(piece, data.gcount());
		if (data.bad() || !data.crcValid())
			fail("%s: wrong CRC", name.c_str());
		put_sha();
		in.clear(); // the end of the last entry may be the end of the file
	}
	putchar('\n');
}

int main(int argc, char **argv)
try {
	std::ifstream in(archive_of(argc, argv), std::ios::binary);
	if (!in)
		fail("can't open the archive");
	ZipArchive archive(in);
	in.clear();
	for (auto e = archive.headerBegin(); e != archive.headerEnd(); ++e)
		entry(in, e->second);
	return done();
} catch (const Poco::Exception &e) {
	fail("%s", e.displayText().c_str());
} catch (const std::exception &e) {
	fail("%s", e.what());
}
