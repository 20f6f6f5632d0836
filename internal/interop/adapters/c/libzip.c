// libzip, with its check that local and central headers agree.
#include "adapter.h"
#include <zip.h>

static char piece[PIECE];

static void entry(zip_t *archive, zip_uint64_t i)
{
	zip_stat_t st;
	zip_uint8_t system;
	zip_uint32_t attributes;
	if (zip_stat_index(archive, i, 0, &st) ||
	    zip_file_get_external_attributes(archive, i, 0, &system, &attributes))
		fail("entry %llu: %s", (unsigned long long)i, zip_strerror(archive));

	unsigned mode = system == ZIP_OPSYS_UNIX ? attributes >> 16 : 0;
	char type = type_of(mode, st.name);
	put_name(st.name, type);
	if (st.valid & ZIP_STAT_SIZE)
		printf(" size=%llu", (unsigned long long)st.size);
	if (st.valid & ZIP_STAT_CRC)
		printf(" crc=%08x", (unsigned)st.crc);
	if (st.valid & ZIP_STAT_MTIME)
		printf(" mtime=%lld", (long long)st.mtime);
	if (mode)
		printf(" mode=%o", mode);

	if (type != 'd') {
		zip_file_t *file = zip_fopen_index(archive, i, 0);
		if (!file)
			fail("%s: %s", st.name, zip_strerror(archive));
		zip_int64_t n;
		sha_start();
		while ((n = zip_fread(file, piece, sizeof piece)) > 0)
			sha_add(piece, n);
		if (n < 0)
			fail("%s: %s", st.name, zip_file_strerror(file));
		if (zip_fclose(file))
			fail("%s: can't close", st.name);
		put_sha();
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	int code;
	zip_t *archive = zip_open(archive_of(argc, argv), ZIP_RDONLY | ZIP_CHECKCONS, &code);
	if (!archive) {
		zip_error_t error;
		zip_error_init_with_code(&error, code);
		fail("%s", zip_error_strerror(&error));
	}
	zip_int64_t n = zip_get_num_entries(archive, 0);
	for (zip_int64_t i = 0; i < n; i++)
		entry(archive, i);
	zip_discard(archive);
	return done();
}
