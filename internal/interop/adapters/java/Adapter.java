import java.io.File;

/**
 * Adapter of the JVM's ZIP readers: {@code java Adapter READER ARCHIVE} prints
 * what the reader tells of each entry of the archive, a line an entry.
 */
final class Adapter {
    interface Reader {
        void read(File archive, Listing out) throws Exception;
    }

    public static void main(String[] args) {
        // An Error too: a library may well run out of memory.
        try {
            Listing out = new Listing();
            reader(args[0]).read(new File(args[1]), out);
            out.close();
        } catch (Throwable e) {
            System.err.println(message(e));
            System.exit(1);
        }
    }

    /** What happened and, as some libraries wrap it in words that say nothing, why. */
    private static String message(Throwable e) {
        String cause = e.getCause() == null ? "" : ": " + message(e.getCause());
        return e.toString().replace('\n', ' ') + cause;
    }

    private static Reader reader(String name) {
        return switch (name) {
            case "ZipFile" -> Jdk::zipFile;
            case "JarFile" -> Jdk::jarFile;
            case "ZipInputStream" -> Jdk::zipInputStream;
            case "zipfs" -> Jdk::zipfs;
            case "commons-compress-ZipFile" -> CommonsCompress::zipFile;
            case "commons-compress-ZipArchiveInputStream" -> CommonsCompress::zipArchiveInputStream;
            case "zip4j-ZipFile" -> Zip4j::zipFile;
            case "zip4j-ZipInputStream" -> Zip4j::zipInputStream;
            case "ant-ZipFile" -> Ant::zipFile;
            default -> throw new IllegalArgumentException("no reader " + name);
        };
    }
}
