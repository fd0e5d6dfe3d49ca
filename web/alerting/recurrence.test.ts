// Windows of recurring silences become Alertmanager's intervals and come back as they were.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newWindow, toIntervals, toWindows, type Window } from './recurrence.ts';

const window = (change: Partial<Window>): Window => ({ ...newWindow('Asia/Shanghai'), ...change });

test('a window inside a day is one interval', () => {
  assert.deepEqual(toIntervals(window({ weekdays: [0, 6], from: '02:00', to: '04:00' })), [
    {
      weekdays: ['saturday', 'sunday'],
      times: [{ start_time: '02:00', end_time: '04:00' }],
      location: 'Asia/Shanghai',
    },
  ]);
});

test('a window over midnight goes on the next weekday', () => {
  assert.deepEqual(toIntervals(window({ weekdays: [5, 6], from: '22:00', to: '06:00' })), [
    {
      weekdays: ['friday', 'saturday'],
      times: [{ start_time: '22:00', end_time: '24:00' }],
      location: 'Asia/Shanghai',
    },
    {
      weekdays: ['saturday', 'sunday'],
      times: [{ start_time: '00:00', end_time: '06:00' }],
      location: 'Asia/Shanghai',
    },
  ]);
});

test('what was made comes back', () => {
  for (const one of [
    window({}),
    window({ weekdays: [1, 2, 3, 4, 5] }),
    window({ weekdays: [6], from: '23:30', to: '00:00' }),
    window({ from: '', to: '' }),
    window({ from: '09:00', to: '17:30', daysOfMonth: '1:5, -1', months: 'january', years: '2026:2027', zone: 'UTC' }),
  ])
    assert.deepEqual(toWindows(toIntervals(one)), [one]);
});

test('intervals of others are read: ranges of weekdays, several times, no zone', () => {
  const times = [
    { start_time: '01:00', end_time: '02:00' },
    { start_time: '12:00', end_time: '24:00' },
  ];
  assert.deepEqual(
    toWindows([{ weekdays: ['monday:wednesday', 'Sunday'], times }]).map(({ weekdays, from, to, zone }) => [
      weekdays,
      from,
      to,
      zone,
    ]),
    [
      [[0, 1, 2, 3], '01:00', '02:00', 'UTC'],
      [[0, 1, 2, 3], '12:00', '00:00', 'UTC'],
    ],
  );
});
