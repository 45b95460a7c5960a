//! Behaviours of the whole on a real cluster, one a file.
//!
//! The modules whose name begins with `alone_` disturb everybody else and run after them, one at a time.

mod adopts_retained_brains;
mod alone_outlives_the_operator;
mod alone_rotates_beside_a_lost_node;
mod alone_rotates_whoever_dies;
mod alone_rotates_without_the_operator;
mod alone_uninstalls_the_chart;
mod blocks_on_key_trouble;
mod blocks_on_volume_trouble;
mod connects_through_the_relay;
mod converges;
mod creates_engines;
mod deletes_engines;
mod follows_classes;
mod gives_up_rows;
mod grows_volumes;
mod guards_the_way_out;
mod hands_catalogs_on;
mod holds_little_power;
mod isolates_engines;
mod keeps_secrets;
mod leaves_strangers_alone;
mod pauses;
mod refuses_invalid_objects;
mod rotates_keys;
mod runs_a_relay;
mod survives_rotations;
mod suspends_and_resumes;
mod takes_null_for_absent;
