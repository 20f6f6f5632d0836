import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collections;
import org.apache.commons.compress.archivers.zip.X7875_NewUnix;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveInputStream;
import org.apache.commons.compress.archivers.zip.ZipFile;
import org.apache.commons.compress.archivers.zip.ZipShort;

/** Apache Commons Compress. */
final class CommonsCompress {
    private static final ZipShort NEW_UNIX = new ZipShort(0x7875);

    static void zipFile(File archive, Listing out) throws IOException {
        try (ZipFile zip = new ZipFile(archive)) {
            for (ZipArchiveEntry entry : Collections.list(zip.getEntries())) {
                out.entry(entry.getName(), Listing.type(entry.isDirectory(), entry.getUnixMode()))
                        .mode(entry.getUnixMode());
                try (InputStream in = zip.getInputStream(entry)) {
                    rest(entry, in, out);
                }
            }
        }
    }

    /** Modes stand in the central directory, which a stream doesn't read. */
    static void zipArchiveInputStream(File archive, Listing out) throws IOException {
        try (ZipArchiveInputStream zip = new ZipArchiveInputStream(new FileInputStream(archive))) {
            for (ZipArchiveEntry entry; (entry = zip.getNextZipEntry()) != null; ) {
                out.entry(entry.getName(), Listing.type(entry.isDirectory(), 0));
                rest(entry, zip, out);
            }
        }
    }

    private static void rest(ZipArchiveEntry entry, InputStream in, Listing out) throws IOException {
        if (!entry.isDirectory()) {
            out.content(in);
        }
        if (entry.getExtraField(NEW_UNIX) instanceof X7875_NewUnix owner) {
            out.owner(owner.getUID(), owner.getGID());
        }
        out.size(entry.getSize())
                .crc(entry.getCrc())
                .mtime(entry.getLastModifiedTime().toMillis())
                .end();
    }
}
