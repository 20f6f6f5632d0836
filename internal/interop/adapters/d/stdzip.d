// D's std.zip, which wants the archive in memory, and tests no CRC of entries that
// are stored.
import std.algorithm : sort;
import std.conv : octal;
import std.datetime : DosFileTimeToSysTime, UTC;
import std.digest : LetterCase, toHexString;
import std.digest.sha : sha256Of;
import std.file : read;
import std.stdio : stderr, write, writef, writeln;
import std.string : endsWith, representation;
import std.zip;

int main(string[] args)
{
    try
    {
        auto archive = new ZipArchive(read(args[$ - 1]));
        foreach (name, member; archive.directory)
            entry(archive, member);
        return 0;
    }
    catch (Throwable e) // lack of memory, too
    {
        stderr.writeln(e.msg);
        return 1;
    }
}

void entry(ZipArchive archive, ArchiveMember member)
{
    immutable mode = member.fileAttributes;
    immutable type = (mode & octal!170000) == octal!120000 ? 'l' : member.name.endsWith("/") ? 'd' : 'f';
    writef("name=%(%02x%) type=%s size=%d crc=%08x mtime=%d", member.name.representation, type,
        member.expandedSize, member.crc32, DosFileTimeToSysTime(member.time, UTC()).toUnixTime);
    if (mode)
        writef(" mode=%o", mode);
    if (type != 'd')
        write(" sha=", sha256Of(archive.expand(member)).toHexString!(LetterCase.lower));
    writeln();
}
