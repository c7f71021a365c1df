//! What `--help` says below the options: examples first, then what a line of options cannot say.

pub(super) const MAIN_HELP: &str = "\
Examples:
  proxime import docs.db docs.npy --ids ids.txt --metadata meta.jsonl
  proxime search docs.db --query q.npy -k 10 --json
  proxime count docs.db --where 'year >= 2020'
  proxime info docs.db
  proxime verify docs.db
  proxime repair docs.db --rebuild-index
  proxime backup docs.db /backups/docs-monday

Exit codes:
  0  done
  1  failed for a reason not below, such as a full disk
  2  the arguments make no sense
  3  no such file, database or collection
  4  the database is damaged
  5  another process is writing to the database
  6  refused: bad input, or not a database; nothing was changed, but for batches of an import before it
  130  interrupted; what was being stored is not, batches before it are";

pub(super) const IMPORT_HELP: &str = "\
Examples:
  proxime import docs.db docs.npy
  proxime import docs.db docs.npy --ids ids.txt --metadata meta.jsonl
  proxime import docs.db images.npy --collection images --metric l2 --json
  proxime import docs.db docs.jsonl --vector-columns embedding --rejects bad.jsonl
  proxime import docs.db docs.csv --id-column isbn --vector-columns v0..v767
  proxime import docs.db docs.parquet --resume
  proxime import sift.db sift-128-euclidean.hdf5 --metric l2
  zcat docs.jsonl.gz | proxime import docs.db - --format jsonl

Of an array all rows are stored, or none, unless --rejects, --batch-rows or --resume is given.
Other files are stored in batches, each of them whole; what is stored stays if a later row is
bad or the import is interrupted. Columns that are neither id nor vector are metadata. In JSON an
object {\"$time\": ...}, {\"$bytes\": \"0x...\"} or, as an id, {\"$uuid\": ...} is what it says. Of Parquet
and Arrow, null is no field; decimals, maps, durations and parts of microseconds are refused.
--rejects gets {row, line, reason, input} for each bad row. --json prints {collection, rows,
records, rejected, passed_over, seconds, rows_per_s}.";

pub(super) const EXPORT_HELP: &str = "\
Examples:
  proxime export docs.db docs.jsonl
  proxime export docs.db docs.parquet
  proxime export docs.db vectors.npy --ids ids.txt --metadata meta.jsonl
  proxime export docs.db - --where 'year >= 2020' | gzip > recent.jsonl.gz

In the order of the ids. JSON Lines has {id, vector, metadata} for each record, and import
reads it back exactly; so it does .parquet and .arrow, where a field is a column of the type of
its first value, and all that does not fit is JSON in the column metadata. Files are written beside their place and moved there when they are
whole. --json prints {collection, rows, seconds, rows_per_s}, on stderr if records go to stdout.";

pub(super) const SEARCH_HELP: &str = "\
Examples:
  proxime search docs.db --query q.npy
  proxime search docs.db --query - -k 3 --json < q.npy
  proxime search docs.db --query q.npy --exact --collection images
  proxime search docs.db --query q.npy --where \"lang IN ('en', 'de') AND NOT tags CONTAINS 'draft'\"
  proxime search docs.db --query q.npy --where 'year >= 2020' --max-distance 0.3
  proxime search docs.db --text 'red fox' --fields title,body
  proxime search docs.db --id a7
  proxime search docs.db --id a7 --group-by doc
  proxime search docs.db --like a7 --like b12 --unlike c3
  proxime search docs.db --query q.npy --group-by doc --group-size 2
  proxime search docs.db --query q.npy --where-each filters.txt
  proxime search docs.db --text 'red fox' --query q.npy --fusion 0.7,0.3

Smaller distances are nearer: 1 - cos for cosine, squared for l2, the negated
product for dot. --json prints {query, ids, distances, metadata} for each query, and
with --explain {explanation} with what was walked, looked at and read, and how long it took.

--text finds records with any of the words, best first by BM25, and adds
{scores, text_scores} to --json; larger scores are better. With --query, too, the
list of what is near and that of what has the words are put together: --fusion.

--id finds what is near to stored records, and not these; --like and --unlike what is like some
and unlike others. --group-by finds k groups, the records of one value of a field in each, and
--json prints {query, group, ids, distances, metadata} for each; --relevance finds records that
differ. Both take --query or --id, and so does --text.

Filters: = != < <= > >=, IN (...), CONTAINS, IS NULL, IS MISSING, AND, OR, NOT, parentheses;
texts in single quotes, TRUE, FALSE; outer.inner is a field of an object. A field that no record
has is no error; a note on stderr names it, and fields that there are.";

pub(super) const COUNT_HELP: &str = "\
Examples:
  proxime count docs.db
  proxime count docs.db --where \"lang = 'en' AND year >= 2020\" --json

--json prints {collection, count}.";

pub(super) const GET_HELP: &str = "\
Examples:
  proxime get docs.db a7 b12
  proxime get docs.db --ids wanted.txt --json
  proxime get docs.db 6ba7b810-9dad-11d1-80b4-00c04fd430c8 --id-type uuid

--json prints {id, vector, metadata} for each record, as export does. Exit code 3 if one
is not there; the others are printed all the same.";

pub(super) const SCROLL_HELP: &str = "\
Examples:
  proxime scroll docs.db --limit 20
  proxime scroll docs.db --limit 20 --after a7
  proxime scroll docs.db --order-by year --descending --where \"lang = 'en'\" --json

--json prints {id, vector, metadata} for each record, as export does.";

pub(super) const FACETS_HELP: &str = "\
Examples:
  proxime facets docs.db lang
  proxime facets docs.db tags --where 'year >= 2020' --json

The most frequent first; of a list each value in it counts. --json prints {value, count} for each.";

pub(super) const WHY_NOT_HELP: &str = "\
Examples:
  proxime why-not docs.db a7 --query q.npy
  proxime why-not docs.db a7 --query q.npy -k 3 --where 'year >= 2020' --json

--json prints {found, presence, rejected_by, unknown_fields, distance, rank, too_far, ef}: whether
it is found; stored, deleted or unknown; the parts of the filter that are false of it; fields of
the filter that no record has; how far it is, its true place, from 1, and whether that is too far;
a beam that finds it.";

pub(super) const UPDATE_HELP: &str = "\
Examples:
  proxime update docs.db --ids ids.txt --metadata meta.jsonl
  proxime update docs.db a7 --vectors a7.npy
  proxime update sift.db --ids all.txt --vectors sift-128-euclidean.hdf5

What is not given stays as it is. All records are updated, or none: exit code 3 if one is
not there. --json prints {collection, updated}.";

pub(super) const DELETE_HELP: &str = "\
Examples:
  proxime delete docs.db a7 b12
  proxime delete docs.db --ids gone.txt --collection images
  proxime delete docs.db --where 'year < 2000'

Ids that are not there are passed over. --json prints {collection, deleted, records}.";

pub(super) const COMPACT_HELP: &str = "\
Examples:
  proxime compact docs.db

Needs the room of what it puts together until it is done. --json prints
{bytes_before, bytes_after}.";

pub(super) const LIST_HELP: &str = "\
Examples:
  proxime list docs.db

--json prints {name, records, dim, metric, aliases} for each collection, one per line.";

pub(super) const RENAME_HELP: &str = "\
Examples:
  proxime rename docs.db drafts docs

--json prints {collection}.";

pub(super) const ALIAS_HELP: &str = "\
Examples:
  proxime alias docs.db current docs-2
  proxime alias docs.db current --drop

Wherever a collection is read or written, an alias does for its name; list names them. --json prints
{alias, collection}.";

pub(super) const DROP_HELP: &str = "\
Examples:
  proxime drop docs.db drafts --yes

--json prints {collection, records}: how many are gone.";

pub(super) const BENCH_HELP: &str = "\
Examples:
  proxime bench docs.db --query q.npy
  proxime bench docs.db --query q.npy -k 100 --ef 100,200,400 --json

Queries/s are of all queries in one call, on all threads; latencies of one query at a time.
The last line is an exact search. --json prints {ef, recall, interval, queries_per_s, p50_us,
p99_us} for each setting.";

pub(super) const TUNE_HELP: &str = "\
Examples:
  proxime tune docs.db --query q.npy --recall 0.95
  proxime tune docs.db --query q.npy --recall 0.99 --p99-us 500

Exit code 1 if no beam does. --json prints {tried, ef}: what bench prints for each beam, and
the one to use.";

pub(super) const DOCTOR_HELP: &str = "\
Examples:
  proxime doctor
  proxime doctor /var/lib/docs --json

Writes about 70 MB to DIR for a moment. Exit code 1 if a kernel computes what it should not.
--json prints {ok, version, findings: [{topic, ok, found, advice}]}.";

pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  proxime completions bash > ~/.local/share/bash-completion/completions/proxime
  proxime completions zsh > ~/.zfunc/_proxime
  proxime completions fish > ~/.config/fish/completions/proxime.fish";

pub(super) const MAN_HELP: &str = "\
Examples:
  proxime man ~/.local/share/man/man1

One page for each command: proxime.1, proxime-import.1 and so on.";

pub(super) const INFO_HELP: &str = "\
Examples:
  proxime info docs.db
  proxime info docs.db --json";

pub(super) const VERIFY_HELP: &str = "\
Examples:
  proxime verify docs.db
  proxime verify docs.db --deep
  proxime verify docs.db --json || echo 'restore the backup'

Changes nothing. --deep encodes every vector again and searches for 200 of them in
each collection, by graph and exactly; the recall is told, not judged. --json
prints {ok, manifest, problems, collections}.";

pub(super) const REPAIR_HELP: &str = "\
Examples:
  proxime repair docs.db --rebuild-index

Replaces each segment that is searched by looking at every vector because its index is
damaged; ids, vectors and metadata stay as they are. All of them, or none. --json prints
{rebuilt: [{collection, file, rows, problem}]}.";

pub(super) const SALVAGE_HELP: &str = "\
Examples:
  proxime salvage docs.db rescued.db
  proxime salvage docs.db rescued.db --json > lost.json

For a database that does not open. Every record whose blocks hold comes over, in a new
database with new indexes; docs.db is not changed. Exit code 0 if nothing is known to be
missing, else 4. --json prints {complete, manifest, problems, collections: [{name, records,
lost: [{file, first_row, last_row, ids}], without_metadata: [...]}]}.";

pub(super) const BACKUP_HELP: &str = "\
Examples:
  proxime backup docs.db /backups/docs-monday

The copy is the database as it was when the command began, with everything that was
durable then, and is opened like any other. Damage is not copied: it is an error.
--json prints {dest, bytes}.";

pub(super) const RESTORE_HELP: &str = "\
Examples:
  proxime restore /backups/docs-monday docs.db

--json prints {dest, bytes}.";
