// zlib's minizip, through its 64-bit functions.
#include "adapter.h"
#include <unzip.h>

static char piece[PIECE];

static void entry(unzFile archive)
{
	static char name[1 << 16];
	unz_file_info64 info;
	int code = unzGetCurrentFileInfo64(archive, &info, name, sizeof name, NULL, 0, NULL, 0);
	if (code != UNZ_OK)
		fail("entry: error %d", code);

	unsigned mode = info.version >> 8 == 3 ? info.external_fa >> 16 : 0;
	char type = type_of(mode, name);
	struct tm tm = {
		.tm_year = info.tmu_date.tm_year - 1900,
		.tm_mon = info.tmu_date.tm_mon,
		.tm_mday = info.tmu_date.tm_mday,
		.tm_hour = info.tmu_date.tm_hour,
		.tm_min = info.tmu_date.tm_min,
		.tm_sec = info.tmu_date.tm_sec,
	};
	put_name(name, type);
	printf(" size=%llu crc=%08lx mtime=%lld", (unsigned long long)info.uncompressed_size,
	       info.crc, (long long)timegm(&tm));
	if (mode)
		printf(" mode=%o", mode);

	if (type != 'd') {
		if ((code = unzOpenCurrentFile(archive)) != UNZ_OK)
			fail("%s: open: error %d", name, code);
		ZPOS64_T total = 0;
		int n;
		sha_start();
		while ((n = unzReadCurrentFile(archive, piece, sizeof piece)) > 0) {
			sha_add(piece, n);
			total += n;
		}
		if (n < 0)
			fail("%s: read: error %d", name, n);
		if (total != info.uncompressed_size)
			fail("%s: read %llu bytes of %llu", name, (unsigned long long)total,
			     (unsigned long long)info.uncompressed_size);
		if ((code = unzCloseCurrentFile(archive)) != UNZ_OK) // tests the CRC
			fail("%s: close: error %d", name, code);
		put_sha();
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	unzFile archive = unzOpen64(archive_of(argc, argv));
	unz_global_info64 info;
	if (!archive || unzGetGlobalInfo64(archive, &info) != UNZ_OK)
		fail("can't open the archive");
	for (ZPOS64_T i = 0; i < info.number_entry; i++) {
		int code = i == 0 ? unzGoToFirstFile(archive) : unzGoToNextFile(archive);
		if (code != UNZ_OK)
			fail("entry %llu: error %d", (unsigned long long)i, code);
		entry(archive);
	}
	unzClose(archive);
	return done();
}
