"""Functions that only compute, and words that change something. Lists of facts, no grammar.

A function that stands in neither list is not known to be harmless, so what calls it is no read.
"""

PURE = frozenset(
    """
    abs acos acosd age any_value approx_count_distinct approx_quantiles approx_top_count array array_agg
    array_append array_cat array_concat array_length array_lower array_position array_prepend array_remove
    array_replace array_reverse array_to_string array_upper ascii asin asind atan atan2 atn2 avg
    bit_and bit_count bit_length bit_or bit_xor bool_and bool_or btrim
    cardinality cast cbrt ceil ceiling changes char char_length character_length charindex checksum chr
    coalesce collate collation concat concat_ws contains_substr conv convert convert_tz corr cos cosd cosh cot
    count count_big count_if countif covar_pop covar_samp crc32 cume_dist curdate current_date current_database
    current_schema current_time current_timestamp current_user curtime
    database date date_add date_bin date_bucket date_diff date_format date_from_unix_date date_part date_sub
    date_trunc dateadd datediff datediff_big datefromparts datename datepart datetime datetime_add datetime_diff
    datetime_sub datetime_trunc datetimefromparts datetrunc day dayname dayofmonth dayofweek dayofyear decode
    degrees dense_rank difference div
    elt encode endswith ends_with eomonth every exp extract
    factorial farm_fingerprint field find_in_set first_value floor format format_date format_datetime
    format_timestamp from_base64 from_days from_unixtime
    gcd generate_array generate_date_array generate_series generate_subscripts generate_timestamp_array
    generate_uuid gen_random_uuid getdate getutcdate glob greatest group_concat grouping grouping_id
    hash hex hour
    if ifnull iif ifnull inet_aton inet_ntoa initcap instr isdate isfinite isjson isnull isnumeric
    json json_agg json_array json_array_elements json_array_elements_text json_array_length json_arrayagg
    json_build_array json_build_object json_contains json_contains_path json_depth json_each json_each_text
    json_extract json_extract_array json_extract_path json_extract_path_text json_extract_scalar
    json_extract_string_array json_group_array json_group_object json_keys json_length json_object
    json_object_agg json_object_keys json_objectagg json_overlaps json_patch json_pretty json_query
    json_query_array json_quote json_remove json_replace json_search json_set json_strip_nulls json_tree
    json_type json_typeof json_unquote json_valid json_value json_value_array jsonb_agg jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
    jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_object_keys
    jsonb_path_exists jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set
    jsonb_strip_nulls jsonb_typeof julianday justify_days justify_hours justify_interval
    lag last_day last_value lax_string lcase lcm lead least left len length ln localtime localtimestamp locate
    log log10 log1p log2 logical_and logical_or lower lpad ltrim
    make_date make_interval make_time make_timestamp make_timestamptz makedate maketime match max md5 microsecond
    mid min minute mod month monthname
    newid now nth_value ntile nullif nvl
    oct octet_length openjson ord overlay
    parse_date parse_datetime parse_json parse_numeric parse_timestamp patindex percent_rank percentile_cont
    percentile_disc period_add period_diff pi position pow power printf
    quarter quotename
    radians rand random range range_bucket rank regexp_contains regexp_count regexp_extract
    regexp_extract_all regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regexp_substr repeat replicate replace reverse right round row row_number row_to_json
    rpad rtrim
    safe_cast safe_divide safe_multiply safe_subtract safe_add schema second sha sha1 sha2 sha224 sha256 sha384
    sha512 sign sin sind sinh soundex space split split_part sqrt square st_area st_asgeojson st_astext
    st_contains st_distance st_dwithin st_geogpoint st_intersects st_length st_makepoint st_point st_setsrid
    st_within st_x st_y starts_with std stddev stddev_pop stddev_samp stdev stdevp str str_to_date strcmp
    strftime string string_agg string_split string_to_array struct strpos stuff subdate substr substring
    substring_index sum switchoffset sysdate sysdatetime sysdatetimeoffset sysutcdatetime
    tan tand tanh time time_format time_to_sec timediff timefromparts timestamp timestamp_add timestamp_diff
    timestamp_micros timestamp_millis timestamp_seconds timestamp_sub timestamp_trunc timestampadd
    timestampdiff to_ascii to_base32 to_base64 to_char to_date to_days to_hex to_json to_json_string to_jsonb
    to_number to_seconds to_timestamp to_tsquery to_tsvector total total_changes translate trim trunc truncate
    try_cast try_convert try_parse ts_headline ts_rank typeof
    ucase unhex unicode unistr unix_date unix_micros unix_millis unix_seconds unix_timestamp unixepoch
    unnest upper user utc_date utc_time utc_timestamp uuid
    var var_pop var_samp variance varp version
    week weekday weekofyear width_bucket
    year yearweek
    zeroblob
    """.split()
)
"""Names that are followed by a bracket."""

SYNTAX = frozenset(
    """
    against all and any apply array as asc bernoulli between bigint binary bit bpchar by bytea bytes case char
    character cube datetime datetime2 datetimeoffset dec decimal desc distinct else end except exists fetch
    filter float from full group grouping having in inner int integer intersect interval into is join lateral
    like limit materialized mediumint nchar next not null numeric nvarchar offset on only or order over
    partition pivot precision range recursive replace rollup rows select sets signed similar smallint some
    string struct system table then time timestamp tinyint top union unpivot unsigned using value values
    varbinary varchar varying when where window with within xor
    """.split()
)
"""Words of the grammar and types that a bracket may follow."""

NESTED = frozenset({"safe"})
"""What may stand before a function with a dot: BigQuery's `SAFE.SUBSTR(…)`."""

CHANGING = frozenset(
    "insert update delete merge drop alter create truncate grant revoke exec execute into call".split()
)
"""Words that stand in no read, quotes aside. A column of such a name is refused until it is quoted."""

CHANGING_TSQL = CHANGING | frozenset(
    """
    add backup begin bulk checkpoint commit dbcc deny disable dump enable end_conversion fillfactor go kill load
    move open openquery openrowset opendatasource print raiserror readtext receive reconfigure rename restore
    revert rollback save send set setuser shutdown throw tran transaction updatetext use waitfor writetext
    declare return while goto if break continue close deallocate
    """.split()
)
"""T-SQL needs nothing between two statements, so the words that begin one must not stand anywhere."""
