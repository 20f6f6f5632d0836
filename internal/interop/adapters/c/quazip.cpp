// QuaZip, on Qt 5.
#include "adapter.h"
#include <quazip.h>
#include <quazipfile.h>

static void entry(QuaZip &archive)
{
	static char piece[PIECE];
	QuaZipFileInfo64 info;
	if (!archive.getCurrentFileInfo(&info))
		fail("entry: error %d", archive.getZipError());

	QByteArray name = info.name.toUtf8();
	unsigned mode = info.versionCreated >> 8 == 3 ? info.externalAttr >> 16 : 0;
	char type = info.isSymbolicLink() ? 'l' : type_of(mode, name);
	QDateTime time = info.getExtModTime();
	if (!time.isValid())
		time = info.dateTime;
	put_name(name, type);
	printf(" size=%llu crc=%08x mtime=%lld", (unsigned long long)info.uncompressedSize,
	       info.crc, (long long)time.toSecsSinceEpoch());
	if (mode)
		printf(" mode=%o", mode);

	if (type != 'd') {
		QuaZipFile file(&archive);
		if (!file.open(QIODevice::ReadOnly))
			fail("%s: open: error %d", name.constData(), file.getZipError());
		qint64 n, total = 0;
		sha_start();
		while ((n = file.read(piece, sizeof piece)) > 0) {
			sha_add(piece, n);
			total += n;
		}
		file.close(); // tests the CRC
		if (n < 0 || file.getZipError() != UNZ_OK)
			fail("%s: error %d", name.constData(), file.getZipError());
		if (quint64(total) != info.uncompressedSize)
			fail("%s: read %lld bytes", name.constData(), total);
		put_sha();
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	QuaZip archive(QString::fromLocal8Bit(archive_of(argc, argv)));
	if (!archive.open(QuaZip::mdUnzip))
		fail("can't open the archive: error %d", archive.getZipError());
	int n = 0;
	for (bool more = archive.goToFirstFile(); more; more = archive.goToNextFile(), n++)
		entry(archive);
	if (archive.getZipError() != UNZ_OK || n != archive.getEntriesCount())
		fail("%d entries of %d: error %d", n, archive.getEntriesCount(), archive.getZipError());
	return done();
}
