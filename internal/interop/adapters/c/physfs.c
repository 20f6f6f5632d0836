// PhysicsFS: the archive becomes a file system of which it tells the folders' contents.
#include "adapter.h"
#include <physfs.h>

static char piece[PIECE];

static const char *error(void)
{
	return PHYSFS_getErrorByCode(PHYSFS_getLastErrorCode());
}

static void data(const char *path)
{
	PHYSFS_File *file = PHYSFS_openRead(path);
	if (!file)
		fail("%s: %s", path, error());
	PHYSFS_sint64 n;
	sha_start();
	while ((n = PHYSFS_readBytes(file, piece, sizeof piece)) > 0)
		sha_add(piece, n);
	if (n < 0 || !PHYSFS_eof(file))
		fail("%s: %s", path, error());
	if (!PHYSFS_close(file))
		fail("%s: %s", path, error());
	put_sha();
}

static PHYSFS_EnumerateCallbackResult entry(void *unused, const char *folder, const char *base)
{
	PHYSFS_Stat st;
	char *path;
	if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", base) < 0)
		fail("out of memory");
	if (!PHYSFS_stat(path, &st))
		fail("%s: %s", path, error());

	char type = st.filetype == PHYSFS_FILETYPE_DIRECTORY ? 'd'
		  : st.filetype == PHYSFS_FILETYPE_SYMLINK   ? 'l'
							     : 'f';
	put_name(path, type);
	if (type == 'f')
		printf(" size=%lld", (long long)st.filesize);
	if (st.modtime != -1)
		printf(" mtime=%lld", (long long)st.modtime);
	if (type == 'f') // a link's data would be that of the file it points to
		data(path);
	putchar('\n');
	if (type == 'd' && !PHYSFS_enumerate(path, entry, unused))
		fail("%s: %s", path, error());
	free(path);
	return PHYSFS_ENUM_OK;
}

int main(int argc, char **argv)
{
	if (!PHYSFS_init(argv[0]) || !PHYSFS_mount(archive_of(argc, argv), NULL, 1))
		fail("%s", error());
	PHYSFS_permitSymbolicLinks(1);
	if (!PHYSFS_enumerate("", entry, NULL))
		fail("%s", error());
	PHYSFS_deinit();
	return done();
}
