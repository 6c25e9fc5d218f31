import { dirname } from "node:path";
import type { CounterStore } from "../store/store.ts";
import {
  type CurrentCounters,
  type CurrentCountersOptions,
  createCurrentCounters,
} from "./current-counters.ts";
import { createJournal, createJournalFolder } from "./journal.ts";
import { createJournalCounter, type JournalCounterOptions } from "./journal-counter.ts";
import { createRecorder, type Recorder, type RecorderOptions } from "./recorder.ts";

export interface OpenStatisticsOptions
  extends Pick<JournalCounterOptions, "producer" | "onLost" | "onWentBack" | "onRefused">,
    Pick<RecorderOptions, "flushMs" | "onChange" | "onUnnamed">,
    Pick<CurrentCountersOptions, "countAll"> {
  /** In the folder of this host's journals. */
  journalPath: string;
  /** Of a new journal; unless a test says otherwise, its own default. */
  ringWords: number | undefined;
  store: CounterStore;
}

/** The statistics of one worker. */
export interface Statistics {
  readonly recorder: Recorder;
  /** Of all workers of this host. */
  readonly counters: CurrentCounters;
}

/** @throws Error when the folder or the disk refuses */
export function openStatistics(options: OpenStatisticsOptions): Statistics {
  const { journalPath, ringWords, producer, store, countAll } = options;
  const { flushMs, onChange, onUnnamed, onLost, onWentBack, onRefused } = options;
  const journal = createJournal(journalPath, ringWords);
  const counter = createJournalCounter({
    journal,
    producer,
    apply: store.apply,
    onLost,
    onWentBack,
    onRefused,
  });
  const journals = createJournalFolder(dirname(journalPath));
  return {
    recorder: createRecorder({ journal, counter, flushMs, onChange, onUnnamed }),
    counters: createCurrentCounters({ journals, store, countAll }),
  };
}
