// GNOME's libgsf, which shows the archive as a tree. Its times are left out: it has
// 12:00 for 20:00, as the hour's highest bit gets lost.
#include "adapter.h"
#include <gsf/gsf.h>

static void data(GsfInput *file, const char *name)
{
	sha_start();
	while (gsf_input_remaining(file) > 0) {
		size_t n = MIN(gsf_input_remaining(file), PIECE);
		const guint8 *piece = gsf_input_read(file, n, NULL);
		if (!piece)
			fail("%s: can't read", name);
		sha_add(piece, n);
	}
	put_sha();
}

static void folder(GsfInfile *infile, const char *prefix)
{
	int n = gsf_infile_num_children(infile);
	for (int i = 0; i < n; i++) {
		GsfInput *child = gsf_infile_child_by_index(infile, i);
		const char *base = gsf_infile_name_by_index(infile, i);
		if (!child)
			fail("%s%s: can't open", prefix, base);
		gboolean is_folder = gsf_infile_num_children(GSF_INFILE(child)) >= 0;
		char *name = g_strconcat(prefix, base, is_folder ? "/" : NULL, NULL);
		put_name(name, is_folder ? 'd' : 'f');
		if (!is_folder) {
			printf(" size=%lld", (long long)gsf_input_size(child));
			data(child, name);
		}
		putchar('\n');
		if (is_folder)
			folder(GSF_INFILE(child), name);
		g_free(name);
		g_object_unref(child);
	}
}

int main(int argc, char **argv)
{
	gsf_init();
	GError *error = NULL;
	GsfInput *input = gsf_input_stdio_new(archive_of(argc, argv), &error);
	GsfInfile *archive = input ? gsf_infile_zip_new(input, &error) : NULL;
	if (!archive)
		fail("%s", error ? error->message : "can't open the archive");
	folder(archive, "");
	g_object_unref(archive);
	g_object_unref(input);
	return done();
}
