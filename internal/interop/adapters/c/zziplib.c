// zziplib. It has no check of the CRC, and no way to ask for it.
#include "adapter.h"
#include <zzip/zzip.h>

static char piece[PIECE];

static void entry(ZZIP_DIR *archive, const ZZIP_DIRENT *e)
{
	char type = ends_in_slash(e->d_name) ? 'd' : 'f';
	put_name(e->d_name, type);
	printf(" size=%d", e->st_size);

	if (type != 'd') {
		ZZIP_FILE *file = zzip_file_open(archive, e->d_name, 0);
		if (!file)
			fail("%s: %s", e->d_name, zzip_strerror_of(archive));
		long long total = 0;
		zzip_ssize_t n;
		sha_start();
		while ((n = zzip_file_read(file, piece, sizeof piece)) > 0) {
			sha_add(piece, n);
			total += n;
		}
		if (n < 0)
			fail("%s: %s", e->d_name, zzip_strerror_of(archive));
		if (total != e->st_size)
			fail("%s: read %lld bytes of %d", e->d_name, total, e->st_size);
		zzip_file_close(file);
		put_sha();
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	zzip_error_t code = ZZIP_NO_ERROR;
	ZZIP_DIR *archive = zzip_dir_open(archive_of(argc, argv), &code);
	if (!archive)
		fail("%s", zzip_strerror(code));
	ZZIP_DIRENT e;
	while (zzip_dir_read(archive, &e))
		entry(archive, &e);
	zzip_dir_close(archive);
	return done();
}
