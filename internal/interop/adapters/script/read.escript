#!/usr/bin/env escript
%% Prints the entries of a ZIP archive as Erlang/OTP's two readers do: the one for
%% users, and the one that loads code from archives, which zip:foldl lets in.
%% Both read into memory, the first one whole archives. Up to OTP 26 they halve the seconds
%% of times, so times are not printed.
%%
%% usage: read.escript zip|foldl ARCHIVE

-mode(compile).
-include_lib("kernel/include/file.hrl").
-include_lib("stdlib/include/zip.hrl").

main([Reader, Archive]) ->
    try
        ok = read(Reader, Archive)
    catch
        _:Reason ->
            io:format(standard_error, "~tp~n", [Reason]),
            halt(1)
    end.

read("zip", Archive) ->
    {ok, [#zip_comment{} | Entries]} = zip:list_dir(Archive),
    {ok, Contents} = zip:unzip(Archive, [memory]),
    [] = lists:foldl(
           fun (#zip_file{name = Name, info = #file_info{type = directory} = Info}, Left) ->
                   print(unicode:characters_to_binary(Name), Info, none),
                   Left;
               (#zip_file{name = Name, info = Info}, [{Name, Bytes} | Left]) ->
                   print(unicode:characters_to_binary(Name), Info, fun() -> Bytes end),
                   Left
           end, Contents, Entries),
    ok;

read("foldl", Archive) ->
    %% Characters of these names are bytes.
    Print = fun(Name, Info, Data, ok) -> print(list_to_binary(Name), Info(), Data) end,
    {ok, ok} = zip:foldl(Print, ok, Archive),
    ok.

print(Name, #file_info{type = Type, size = Size}, Data) ->
    {Letter, Hash} =
        case Type of
            directory -> {"d", []};
            regular -> {"f", [" sha=", hex(crypto:hash(sha256, Data()))]}
        end,
    Line = ["name=", hex(Name), " type=", Letter, " size=", integer_to_list(Size), Hash, "\n"],
    ok = file:write(standard_io, Line).

hex(Bytes) ->
    string:lowercase(binary:encode_hex(Bytes)).
