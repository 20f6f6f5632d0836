import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collections;
import org.apache.tools.zip.ZipEntry;
import org.apache.tools.zip.ZipFile;

/** What Apache Ant's unzip task and zipfileset read with. */
final class Ant {
    static void zipFile(File archive, Listing out) throws IOException {
        try (ZipFile zip = new ZipFile(archive, "UTF-8")) {
            for (ZipEntry entry : Collections.list(zip.getEntries())) {
                int mode = entry.getUnixMode();
                out.entry(entry.getName(), Listing.type(entry.isDirectory(), mode));
                if (!entry.isDirectory()) {
                    try (InputStream in = zip.getInputStream(entry)) {
                        out.content(in);
                    }
                }
                out.size(entry.getSize())
                        .crc(entry.getCrc())
                        .mode(mode)
                        .mtime(entry.getTime())
                        .end();
            }
        }
    }
}
