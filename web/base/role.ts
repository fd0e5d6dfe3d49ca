// Which of the program's roles serves these pages; the server writes it into the page. While developing it is the server.

export type Role = 'server' | 'alertmanager';

export const ROLE: Role = document.documentElement.dataset.role === 'alertmanager' ? 'alertmanager' : 'server';
