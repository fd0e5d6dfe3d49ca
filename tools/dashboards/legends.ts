// The words of legends in Chinese. A legend that has a word which is not here stops the build, so that none is forgotten;
// abbreviations and names that are the same in both languages stand for themselves.

import type { Text } from '#view/model.ts';

const WORDS: Readonly<Record<string, string>> = {
  '1 min': '1 分钟',
  '5 min': '5 分钟',
  '15 min': '15 分钟',
  accepted: '已接受',
  blocked: '阻塞',
  buffers: '缓冲区',
  cached: '缓存',
  committed: '已提交',
  conflicts: '冲突',
  connected: '已连接',
  connection: '连接',
  cores: '核数',
  cpu: 'CPU',
  deadlocks: '死锁',
  deleted: '已删除',
  established: '已建立',
  evicted: '已淘汰',
  expired: '已过期',
  expiring: '将过期',
  failed: '失败',
  fetched: '已读取',
  files: '文件',
  free: '空闲',
  handled: '已处理',
  insert: '插入',
  inserted: '已插入',
  interrupts: '中断',
  lag: '延迟',
  limit: '上限',
  memory: '内存',
  merges: '合并',
  misses: '未命中',
  'most in a partition': '单分区最多',
  mutations: '变更',
  out: '出',
  queue: '队列',
  read: '读',
  reading: '读取中',
  requests: '请求',
  resident: '常驻内存',
  response: '响应',
  'rolled back': '已回滚',
  'row locks': '行锁',
  rows: '行',
  running: '运行中',
  samples: '样本',
  seconds: '秒',
  select: '查询',
  sent: '已发送',
  series: '序列',
  switches: '上下文切换',
  'table locks': '表锁',
  'time wait': 'TIME_WAIT',
  total: '总计',
  updated: '已更新',
  used: '已用',
  waiting: '等待中',
  write: '写',
  writing: '写入中',
  written: '写入',
};

/** In both languages: what stands between the labels is translated as a whole. */
export function legendText(legend: string): Text {
  const zh = legend.replace(/(\{\{.*?\}\})|([^{}]+)/g, (whole, label: string | undefined) => {
    const words = whole.trim();
    if (label !== undefined || !/[a-z]{3,}/i.test(words)) return whole;
    const found = WORDS[words];
    if (found === undefined) throw new Error(`tools/dashboards/legends.ts has no Chinese for ${JSON.stringify(words)}`);
    return whole.replace(words, found);
  });
  return zh === legend ? legend : { en: legend, zh };
}
