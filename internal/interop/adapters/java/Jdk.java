import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Enumeration;
import java.util.Map;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/** The JDK's own readers. */
final class Jdk {
    static void zipFile(File archive, Listing out) throws IOException {
        try (ZipFile zip = new ZipFile(archive)) {
            all(zip, out);
        }
    }

    static void jarFile(File archive, Listing out) throws IOException {
        try (JarFile jar = new JarFile(archive)) {
            all(jar, out);
        }
    }

    private static void all(ZipFile zip, Listing out) throws IOException {
        for (Enumeration<? extends ZipEntry> e = zip.entries(); e.hasMoreElements(); ) {
            ZipEntry entry = e.nextElement();
            try (InputStream in = zip.getInputStream(entry)) {
                one(entry, in, out);
            }
        }
    }

    static void zipInputStream(File archive, Listing out) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(new FileInputStream(archive))) {
            for (ZipEntry entry; (entry = zip.getNextEntry()) != null; ) {
                one(entry, zip, out);
            }
        }
    }

    private static void one(ZipEntry entry, InputStream in, Listing out) throws IOException {
        out.entry(entry.getName(), Listing.type(entry.isDirectory(), 0));
        if (!entry.isDirectory()) {
            out.content(in);
        }
        out.size(entry.getSize())
                .crc(entry.getCrc())
                .mtime(entry.getLastModifiedTime().toMillis())
                .end();
    }

    /** The file system has a tree, thus no order, and of modes the nine bits of "posix". */
    static void zipfs(File archive, Listing out) throws IOException {
        Map<String, Boolean> posix = Map.of("enablePosixFileAttributes", true);
        try (FileSystem fs = FileSystems.newFileSystem(archive.toPath(), posix)) {
            Files.walkFileTree(fs.getPath("/"), new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes basic)
                        throws IOException {
                    return path.getNameCount() == 0 ? FileVisitResult.CONTINUE : visitFile(path, basic);
                }

                @Override
                public FileVisitResult visitFile(Path path, BasicFileAttributes basic)
                        throws IOException {
                    node(path, basic.isDirectory(), out);
                    return FileVisitResult.CONTINUE;
                }
            });
        }
    }

    @SuppressWarnings("unchecked")
    private static void node(Path path, boolean directory, Listing out) throws IOException {
        // Directories' paths have the slash of their entries only in some versions.
        String name = path.toString().substring(1);
        if (directory && !name.endsWith("/")) {
            name += "/";
        }
        Map<String, Object> attributes =
                Files.readAttributes(path, "zip:size,crc,lastModifiedTime,permissions");
        out.entry(name, Listing.type(directory, 0));
        if (!directory) {
            try (InputStream in = Files.newInputStream(path)) {
                out.content(in);
            }
        }
        out.size((long) attributes.get("size"))
                .crc((long) attributes.get("crc"))
                .mtime(((FileTime) attributes.get("lastModifiedTime")).toMillis())
                .mode(mode((Set<PosixFilePermission>) attributes.get("permissions")))
                .end();
    }

    private static int mode(Set<PosixFilePermission> permissions) {
        int mode = 0;
        for (PosixFilePermission permission : permissions) {
            mode |= 0400 >> permission.ordinal(); // OWNER_READ … OTHERS_EXECUTE
        }
        return mode;
    }
}
