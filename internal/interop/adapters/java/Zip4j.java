import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.io.inputstream.ZipInputStream;
import net.lingala.zip4j.model.AbstractFileHeader;
import net.lingala.zip4j.model.FileHeader;
import net.lingala.zip4j.model.LocalFileHeader;

/** Zip4j. */
final class Zip4j {
    static void zipFile(File archive, Listing out) throws IOException {
        try (ZipFile zip = new ZipFile(archive)) {
            for (FileHeader header : zip.getFileHeaders()) {
                int mode = mode(header.getExternalFileAttributes());
                out.entry(header.getFileName(), Listing.type(header.isDirectory(), mode)).mode(mode);
                try (InputStream in = zip.getInputStream(header)) {
                    rest(header, in, out);
                }
            }
        }
    }

    static void zipInputStream(File archive, Listing out) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(new FileInputStream(archive))) {
            for (LocalFileHeader header; (header = zip.getNextEntry()) != null; ) {
                out.entry(header.getFileName(), Listing.type(header.isDirectory(), 0));
                rest(header, zip, out);
            }
        }
    }

    private static void rest(AbstractFileHeader header, InputStream in, Listing out)
            throws IOException {
        if (!header.isDirectory()) {
            out.content(in);
        }
        // The + 1: from 2044 on zip4j takes the top bit of the DOS fields for a sign, and is a
        // millisecond early, which would make it the second before.
        out.size(header.getUncompressedSize())
                .crc(header.getCrc())
                .mtime(header.getLastModifiedTimeEpoch() + 1)
                .end();
    }

    /** The upper half of the external attributes, which zip4j hands out as little-endian bytes. */
    private static int mode(byte[] attributes) {
        return (attributes[2] & 0xff) | (attributes[3] & 0xff) << 8;
    }
}
