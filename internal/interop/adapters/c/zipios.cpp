// Zipios++. Debian's ZipFile::getInputStream hands out the data of the entry that
// comes after, so each is opened as a stream at its offset instead.
#include "adapter.h"
#include <zipios++/zipfile.h>
#include <zipios++/zipinputstream.h>

static void entry(const char *path, const zipios::ZipCDirEntry *e)
{
	static char piece[PIECE];
	std::string name = e->getName();
	char type = e->isDirectory() ? 'd' : 'f';
	unsigned time = e->getTime(); // as in the header
	put_name(name.c_str(), type);
	printf(" size=%u crc=%08x mtime=%lld", e->getSize(), e->getCrc(),
	       (long long)dos_time(time >> 16, time & 0xffff));
	if (type != 'd') {
		zipios::ZipInputStream data(path, e->getLocalHeaderOffset());
		unsigned long long total = 0;
		sha_start();
		while (data.read(piece, sizeof piece), data.gcount() > 0) {
			sha_add(piece, data.gcount());
			total += data.gcount();
		}
		if (data.bad() || total != e->getSize())
			fail("%s: read %llu bytes of %u", name.c_str(), total, e->getSize());
		put_sha();
	}
	putchar('\n');
}

int main(int argc, char **argv)
try {
	const char *path = archive_of(argc, argv);
	zipios::ZipFile archive(path);
	if (!archive.isValid())
		fail("not valid");
	for (const auto &e : archive.entries())
		entry(path, dynamic_cast<const zipios::ZipCDirEntry *>(e.get()));
	return done();
} catch (const std::exception &e) {
	fail("%s", e.what());
}
