// Adapter of Mono's ZIP readers: "mono Adapter.exe READER ARCHIVE" prints what the
// reader tells of each entry of the archive, a line an entry.

using System;
using System.Globalization;
using System.IO;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using ICSharpCode.SharpZipLib.Zip;
using SharpZipFile = ICSharpCode.SharpZipLib.Zip.ZipFile;

static class Adapter
{
    static int Main(string[] args)
    {
        try
        {
            using (var output = new StreamWriter(Console.OpenStandardOutput(), Encoding.ASCII, 1 << 16))
            using (var archive = File.OpenRead(args[1]))
                Reader(args[0])(archive, output);
            return 0;
        }
        catch (Exception e)
        {
            Console.Error.WriteLine("{0}: {1}", e.GetType(), e.Message.Replace('\n', ' '));
            return 1;
        }
    }

    static Action<Stream, TextWriter> Reader(string name)
    {
        // SharpZipLib takes all names for the machine's code page unless told so.
        ZipConstants.DefaultCodePage = Encoding.UTF8.CodePage;
        switch (name)
        {
            case "ZipArchive": return ReadZipArchive;
            case "SharpZipLib-ZipFile": return ReadSharpZipFile;
            case "SharpZipLib-ZipInputStream": return ReadSharpZipInputStream;
            default: throw new ArgumentException("no reader " + name);
        }
    }

    static void ReadZipArchive(Stream archive, TextWriter output)
    {
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Read))
            foreach (var entry in zip.Entries)
            {
                var mode = entry.ExternalAttributes >> 16;
                var line = new Line(entry.FullName, entry.FullName.EndsWith("/"), mode)
                    .Size(entry.Length)
                    .Crc(entry.Crc32)
                    .Mode(mode)
                    .Mtime(entry.LastWriteTime.UtcDateTime);
                if (!line.IsDirectory)
                    using (var data = entry.Open())
                        line.Content(data);
                output.WriteLine(line);
            }
    }

    static void ReadSharpZipFile(Stream archive, TextWriter output)
    {
        var zip = new SharpZipFile(archive);
        // Reading alone checks no CRC.
        if (!zip.TestArchive(true))
            throw new InvalidDataException("TestArchive says no");
        foreach (ZipEntry entry in zip)
        {
            var mode = entry.ExternalFileAttributes >> 16;
            var line = SharpLine(entry, mode).Mode(mode);
            if (!line.IsDirectory)
                using (var data = zip.GetInputStream(entry))
                    line.Content(data);
            output.WriteLine(line);
        }
    }

    static void ReadSharpZipInputStream(Stream archive, TextWriter output)
    {
        var zip = new ZipInputStream(archive);
        ZipEntry entry;
        while ((entry = zip.GetNextEntry()) != null)
        {
            var line = SharpLine(entry, 0);
            // It throws when asked for the data of an empty entry that is stored.
            if (!line.IsDirectory)
                line.Content(entry.Size == 0 ? Stream.Null : zip);
            output.WriteLine(line);
        }
    }

    static Line SharpLine(ZipEntry entry, int mode)
    {
        return new Line(entry.Name, entry.IsDirectory, mode)
            .Size(entry.Size)
            .Crc((uint)entry.Crc)
            .Mtime(entry.DateTime);
    }
}

sealed class Line
{
    static readonly byte[] piece = new byte[1 << 18];
    static readonly DateTime epoch = new DateTime(1970, 1, 1);

    readonly StringBuilder text = new StringBuilder("name=");

    public readonly bool IsDirectory;

    public Line(string name, bool directory, int mode)
    {
        IsDirectory = directory;
        text.Append(Hex(Encoding.UTF8.GetBytes(name)));
        Add("type", directory ? "d" : (mode & 0xF000) == 0xA000 ? "l" : "f");
    }

    public Line Size(long size)
    {
        return Add("size", size);
    }

    public Line Crc(uint crc)
    {
        return Add("crc", crc.ToString("x8"));
    }

    public Line Mode(int mode)
    {
        return Add("mode", Convert.ToString(mode & 0xFFFF, 8));
    }

    public Line Mtime(DateTime utc)
    {
        return Add("mtime", (long)(utc - epoch).TotalSeconds);
    }

    // Content reads the entry's data to its end.
    public Line Content(Stream data)
    {
        Sha256.Begin();
        int n;
        while ((n = data.Read(piece, 0, piece.Length)) > 0)
            Sha256.Add(piece, n);
        return Add("sha", Hex(Sha256.End()));
    }

    public override string ToString()
    {
        return text.ToString();
    }

    Line Add(string key, object value)
    {
        text.AppendFormat(CultureInfo.InvariantCulture, " {0}={1}", key, value);
        return this;
    }

    static string Hex(byte[] bytes)
    {
        return BitConverter.ToString(bytes).Replace("-", "").ToLowerInvariant();
    }
}

// OpenSSL's SHA-256: Mono's own takes minutes for 4 GiB.
static class Sha256
{
    static readonly byte[] context = new byte[128]; // SHA256_CTX has 112
    static readonly byte[] hash = new byte[32];

    [DllImport("libcrypto.so.3")]
    static extern int SHA256_Init(byte[] context);

    [DllImport("libcrypto.so.3")]
    static extern int SHA256_Update(byte[] context, byte[] data, UIntPtr length);

    [DllImport("libcrypto.so.3")]
    static extern int SHA256_Final(byte[] hash, byte[] context);

    public static void Begin()
    {
        SHA256_Init(context);
    }

    public static void Add(byte[] data, int length)
    {
        SHA256_Update(context, data, (UIntPtr)length);
    }

    public static byte[] End()
    {
        SHA256_Final(hash, context);
        return hash;
    }
}
