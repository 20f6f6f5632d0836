import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;

/** The lines on standard output: entry() begins one, end() ends it. */
final class Listing {
    static final char FILE = 'f';
    static final char DIRECTORY = 'd';
    static final char LINK = 'l';

    private static final HexFormat HEX = HexFormat.of();

    private final OutputStream out =
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16);
    private final StringBuilder line = new StringBuilder();
    private final MessageDigest sha;
    private final byte[] piece = new byte[1 << 18];

    Listing() throws GeneralSecurityException {
        sha = MessageDigest.getInstance("SHA-256");
    }

    Listing entry(String name, char type) {
        line.setLength(0);
        line.append("name=").append(HEX.formatHex(name.getBytes(UTF_8)));
        return add("type", type);
    }

    /** The type by a Unix mode, where the reader tells one: only that knows of links. */
    static char type(boolean directory, int mode) {
        if (directory) {
            return DIRECTORY;
        }
        return (mode & 0170000) == 0120000 ? LINK : FILE;
    }

    /** A negative size or CRC is how the libraries say that they don't know. */
    Listing size(long size) {
        return size < 0 ? this : add("size", size);
    }

    Listing crc(long crc) {
        return crc < 0 ? this : add("crc", HEX.toHexDigits((int) crc));
    }

    Listing mode(int mode) {
        return add("mode", Integer.toOctalString(mode));
    }

    Listing mtime(long milliseconds) {
        return add("mtime", Math.floorDiv(milliseconds, 1000));
    }

    Listing owner(long uid, long gid) {
        return add("uid", uid).add("gid", gid);
    }

    /** Reads the entry's data to its end. */
    Listing content(InputStream in) throws IOException {
        for (int n; (n = in.read(piece)) >= 0; ) {
            sha.update(piece, 0, n);
        }
        return add("sha", HEX.formatHex(sha.digest()));
    }

    void end() throws IOException {
        out.write(line.append('\n').toString().getBytes(US_ASCII));
    }

    void close() throws IOException {
        out.close();
    }

    private Listing add(String key, Object value) {
        line.append(' ').append(key).append('=').append(value);
        return this;
    }
}
