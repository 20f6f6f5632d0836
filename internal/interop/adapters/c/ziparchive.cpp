// Android's libziparchive, which installs applications there.
#include "adapter.h"
#include <string>
#include <ziparchive/zip_archive.h>

static void check(int32_t code, const char *what)
{
	if (code)
		fail("%s: %s", what, ErrorCodeString(code));
}

int main(int argc, char **argv)
{
	const char *path = archive_of(argc, argv);
	ZipArchiveHandle archive;
	void *iteration;
	check(OpenArchive(path, &archive), path);
	check(StartIteration(archive, &iteration), path);

	ZipEntry e;
	std::string name;
	int32_t code;
	while ((code = Next(iteration, &e, &name)) == 0) {
		char type = type_of(e.unix_mode, name.c_str());
		put_name(name.c_str(), type);
		printf(" size=%u crc=%08x mode=%o mtime=%lld", e.uncompressed_length, e.crc32,
		       e.unix_mode, (long long)dos_time(e.mod_time >> 16, e.mod_time & 0xffff));
		if (type != 'd') {
			sha_start();
			auto add = [](const uint8_t *data, size_t n, void *) {
				sha_add(data, n);
				return true;
			};
			check(ProcessZipEntryContents(archive, &e, add, nullptr), name.c_str());
			put_sha();
		}
		putchar('\n');
	}
	if (code != -1)
		check(code, path);
	EndIteration(iteration);
	CloseArchive(archive);
	return done();
}
