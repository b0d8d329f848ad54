// Owns what the rows of one vhost are given in the store that they go to. Never decides what goes.

import { SEGMENT_SPAN } from '../../message/log/segment.ts';
import type { Mover } from './mover.ts';
import type { Survey } from './survey.ts';

/** A vhost on its way, whose rows were all looked at. */
export class Transfer implements Mover {
  readonly ms: number;
  readonly segments: number;
  readonly positions: number;
  readonly setAsideId: () => number;
  readonly put: Mover['put'];
  private readonly survey: Survey;
  private readonly ids: ReadonlyMap<number, number>;

  /** Its ids are those from `firstId` on, in the order in which they were found; segments have so much higher numbers. */
  constructor(
    survey: Survey,
    firstId: number,
    segments: number,
    setAsideId: () => number,
    put: Mover['put'],
  ) {
    this.survey = survey;
    this.ms = survey.ms;
    this.segments = segments;
    this.positions = segments * SEGMENT_SPAN;
    this.setAsideId = setAsideId;
    this.put = put;
    this.ids = new Map([...survey.owners.keys()].map((id, n) => [id, firstId + n]));
  }

  idOf(id: number): number {
    return this.ids.get(id) as number;
  }

  has(segment: number): boolean {
    return this.survey.needed.has(segment);
  }

  arrivedMs(position: number): number {
    return this.survey.arrivedMs(position);
  }

  uses(): void {}
}
