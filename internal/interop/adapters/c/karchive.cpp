// KDE's KArchive, which shows the archive as a tree.
#include "adapter.h"
#include <QIODevice>
#include <QScopedPointer>
#include <kzip.h>

static void data(const KArchiveFile *file, const char *name)
{
	static char piece[PIECE];
	QScopedPointer<QIODevice> device(file->createDevice());
	if (!device)
		fail("%s: can't open", name);
	qint64 n, total = 0;
	sha_start();
	while ((n = device->read(piece, sizeof piece)) > 0) {
		sha_add(piece, n);
		total += n;
	}
	if (n < 0 || total != file->size())
		fail("%s: read %lld bytes of %lld", name, total, file->size());
	put_sha();
}

static void folder(const KArchiveDirectory *directory, const QByteArray &prefix)
{
	const QStringList names = directory->entries();
	for (const QString &base : names) {
		const KArchiveEntry *e = directory->entry(base);
		QByteArray name = prefix + base.toUtf8();
		QByteArray target = e->symLinkTarget().toUtf8();
		char type = e->isDirectory() ? 'd' : !target.isEmpty() ? 'l' : 'f';
		put_name(name, type);
		printf(" mode=%o mtime=%lld", e->permissions() & 07777u,
		       (long long)e->date().toSecsSinceEpoch());
		if (type != 'd')
			printf(" size=%lld", static_cast<const KArchiveFile *>(e)->size());
		if (type == 'l') {
			sha_start();
			sha_add(target.constData(), target.size());
			put_sha();
		} else if (type == 'f') {
			data(static_cast<const KArchiveFile *>(e), name);
		}
		putchar('\n');
		if (type == 'd')
			folder(static_cast<const KArchiveDirectory *>(e), name + '/');
	}
}

int main(int argc, char **argv)
{
	KZip archive(QString::fromLocal8Bit(archive_of(argc, argv)));
	if (!archive.open(QIODevice::ReadOnly))
		fail("%s", archive.errorString().toUtf8().constData());
	folder(archive.directory(), "");
	return done();
}
