"""The times (in seconds) and sizes by which a running service works: one value, passed in from outside.

Users cannot set them. Tests pass what they need not wait for, and a bound that they can reach.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Holds each time and size under the name of the room that goes by it, with what the service itself uses."""

    # -- Every room: loops, lines of the log, retries, the end ---------------------------------------------------------

    look_every: float = 1.0  # between two looks at what waits; what this process recorded itself is met at once
    log_every: float = 10.0  # between two lines that say the same
    retry_waits: tuple[float, float] = (5.0, 3600.0)  # before a fetch or an event is tried again: first, and at most
    claim: float = 60.0  # of an event or a job: longer than it takes, and short enough for another process to take over
    # After a turn that failed: first, and how late a mended loop goes on.
    loop_pauses: tuple[float, float] = (0.25, 4.0)
    loop_stuck: float = 120.0  # of nothing but failures after which a loop is one that cannot go on
    stop_within: float = 5.0  # that a stop waits for sources, receivers and a collector of traces to answer
    close_within: float = 10.0  # in which everything is closed; whatever is not by then is left behind
    close_least: float = 1.0  # of these for a stage, also when an earlier one took all of them

    # -- app/db, PostgreSQL's connections ------------------------------------------------------------------------------

    postgresql_connect: float = 3.0  # for a new connection, and for the answer of one that was idle
    postgresql_free: float = 4.0  # that somebody waits for a connection to be given back
    postgresql_lock: float = 4.0  # that a statement waits for a lock
    postgresql_command: float = 60.0  # for one statement; those of a delivery have less (`commit_statement`)
    postgresql_idle: float = 5.0  # without use after which a connection is asked whether it still answers
    postgresql_lifetime: float = 1_800.0  # after which one is replaced: the server's name may lead elsewhere by then

    # -- app/store -----------------------------------------------------------------------------------------------------

    list_runs: int = 200  # ranges of a list of orders; beyond it, which takes a hostile shop, it is walked as a whole
    list_searched: int = 5_000  # titles for one page of a search
    list_chunks: tuple[int, int] = (200, 1_000)  # of them the first time, in which most searches find enough; and then
    # Bodies that a search for a person reads of the deliveries with one outcome, the newest; and of them in memory.
    person_bodies: tuple[int, int] = (2_000, 200)
    # Rows of a transaction; and orders, which count with their names, of which PostgreSQL locks each.
    prune_steps: tuple[int, int] = (500, 200)

    # -- app/ingest ----------------------------------------------------------------------------------------------------

    source_cache_remembers: float = 0.5  # an entry; as often those whose time is over are looked for
    source_cache_look_up: float = 2.0  # a sender waits, and whoever asks later waits for the same look-up
    source_cache_most: int = 20_000  # of 100 characters; a stranger can ask for any number of unknown sources
    admission_wait: float = 1.25  # platforms wait from 5; it takes as long again where the rate halves
    admission_settles: int = 256  # deliveries; a batch of so many counts as much as everything that was measured before
    # Deliveries that are verified and read in one turn of the event loop. With hundreds of them a turn took a second,
    # in which no commit was met with the next one, and nobody else was answered.
    admission_at_once: int = 32
    commit_waiting: int = 2_000  # deliveries; with more a sender is better served by "come again" than by waiting
    commit_at_once: int = 128
    # A batch of so many bytes and statements at most is written on the event loop, where the last one took no longer than
    # so many seconds; else for a while in the thread.
    commit_quick: tuple[int, int] = (256 * 1024, 256)
    commit_quick_within: float = 0.1
    commit_beside: float = 60.0
    commit_answer: float = 4.0  # platforms wait from 5 (Shopify, Wix) to 22 for an answer
    commit_statement: float = 5.0  # that PostgreSQL has for one statement of a commit
    fetch_per_source: int = 4  # at a time, over all processes
    fetch_a_minute: int = 600  # of one source that one process begins; more wait
    fetch_at_once: int = 32  # of one process
    fetch_claim: float = 120.0  # longer than a fetch can take, and short enough for another process to take over
    fetch_attempts: int = 80  # about three days
    fetch_unproven: int = 10_000  # deliveries of one source that nobody signed and whose order was not fetched; no more
    fetch_unproven_kept: int = 1_000  # of those that name no order: the newest of a source

    # -- app/background: events ----------------------------------------------------------------------------------------

    # Attempts at a time to one subscription, over all processes: it begins with the first, each event that is taken
    # allows one more, and each that is not, half as many.
    event_per_subscription: tuple[int, int] = (8, 64)
    event_at_once: int = 256  # attempts of one process
    event_pause: float = 0.02  # between two turns, so that each has many attempts to record
    event_tired: int = 5  # failures on end after which a receiver is asked one by one
    # A share of the time for which it has failed: so long it is then left alone; at least, and at most.
    event_rest: tuple[float, float, float] = (0.25, 5.0, 600.0)
    event_clears: float = 60.0  # between two looks for what is too old
    event_life: float = 3 * 86400.0  # for which an event is tried
    event_tries: int = 10  # before it is given up, however old it is: about half an hour
    event_within: float = 15.0  # for one attempt as a whole
    event_connect: float = 5.0  # of these for the connection
    event_answer: int = 16 * 1024  # bytes of an answer that are read
    event_unused: tuple[int, float] = (64, 20.0)  # connections to one receiver that are kept, for so many seconds

    # -- app/background: jobs ------------------------------------------------------------------------------------------

    job_waiting: int = 20  # of an account that have not ended; one of them runs at a time
    job_at_once: int = 2  # of one process
    job_batch: int = 32  # deliveries that a bulk retry hands to the group commit at once
    job_rest: float = 2.0  # between two pieces, at most
    job_tries: int = 20  # of a delivery that the group commit has no room for, with `loop_pauses`
    job_fetches: tuple[int, float] = (50, 5.0)  # of one source that may wait before a job adds more; and it, at most
    job_stop_within: float = 10.0  # that a stop waits for the current pieces: a CRM may be slow to answer
    job_away: float = 1.0  # before an unreachable database is tried again
    job_asks_again: tuple[float, float] = (15.0, 45.0)  # before a CRM's API is asked again; at most, when it says so
    remap_at_once: int = 100  # deliveries that are read between two commits
    remap_breath: int = 8  # deliveries that are read before others get their turn
    remap_batch: tuple[int, int] = (50, 200)  # deliveries that begin it; with what hangs together with them, about
    remap_compared: int = 20_000  # deliveries that may hang together in a dry run, which has to hold them all at once
    reconcile_at_once: int = 10  # contacts of one piece
    reconcile_longest: float = 10.0  # after which a piece begins with no further contact
    reconcile_tried: int = 50  # contacts, of which one has to be there
    reconcile_pace: float = 0.05  # between two requests of this process: 1200 a minute
    reconcile_searched: int = 5  # e-mails, and phones, of a contact that is gone

    # -- app/imports, app/web: files -----------------------------------------------------------------------------------

    import_rows: int = 1_000  # in a transaction: it is short, and webhooks are committed between two
    # PostgreSQL keeps all locks of all transactions in one table of some 6,400 places (64 for each of 100 connections),
    # and the group commit takes up to a thousand of them: a transaction of an import locks so many names at most.
    import_names: int = 2_000
    export_page: int = 500  # rows

    # -- app/observability ---------------------------------------------------------------------------------------------

    tail_waiting: int = 500  # deliveries that wait for a watcher
    tail_pace: float = 0.25  # between two times that a watcher is told; the first after a silence is told at once
    tail_settles: float = 0.1  # within which what this process commits itself is told
    tail_at_once: int = 1_000  # deliveries that one look takes in, the newest; only on PostgreSQL, only with watchers
    ready_every: float = 15.0  # between two looks by itself: for the log, for /metrics, and at the master key
    ready_after_commit: float = 5.0  # for which a commit that succeeded says that the next one will
    # For which one that failed says so, whatever the probe says: the probe may be small enough to fit.
    ready_after_failure: float = 3.0
    ready_remembers: float = 1.0  # for which a probe is not made again, whoever asks
    ready_within: float = 1.5  # for a probe; one that takes longer is waited for by whoever asks next

    # -- app/cli: connections ------------------------------------------------------------------------------------------

    head_most: int = 64 * 1024  # bytes of a request line with its headers; a shop sends one or two thousand
    head_within: float = 10.0  # a shop takes less than one for its head and its body
    body_within: float = 30.0
    body_rate: tuple[float, int] = (10.0, 500)  # seconds after which it must have come at so many bytes a second
    body_discarded: int = 256 * 1024  # bytes of one that is not wanted; what is longer costs its sender the connection
    answer_taken_within: float = 60.0  # in which whoever asked must take something of the answer
    connection_most: int = 8_192  # of one process; fewer where the system gives fewer file handles
    connection_other_files: int = 512  # handles kept for the database, for events and their receivers, and for sources
    # Ended in one go, ten times a second. 2,000 at once, which all came again, kept everybody else waiting for 0.4 s.
    connection_ended: int = 48
