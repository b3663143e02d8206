"""How forms, lists of reports and cards of models look: added to `theme.CSS` by their pages."""

from __future__ import annotations

from typing import Final

FORMS: Final = """
.hg-head { display:flex; flex-wrap:wrap; gap:6px 16px; align-items:baseline; }
.hg-head h2.hg-big { font-size:22px; font-weight:700; color:var(--hg-ink); margin:4px 0;
  line-height:1.3; }
.hg-card h3 { font-size:17px; font-weight:700; margin:0 0 2px; line-height:1.3; letter-spacing:0;
  overflow-wrap:anywhere; }
.hg-figures { display:grid; grid-template-columns:repeat(auto-fill,minmax(132px,1fr)); gap:12px;
  margin:12px 0; }
.hg-figure .hg-value { font-size:19px; font-weight:700; line-height:1.25; overflow-wrap:anywhere; }
.hg-figure .hg-words { font-size:15px; font-weight:500; }
.hg-good { color:#5fcf9a; } .hg-bad { color:#ff8a8d; } .hg-warn { color:var(--hg-amber); }
.hg-row { display:flex; flex-wrap:wrap; gap:8px; align-items:center; }
.hg-row > .hg-button, .hg-row > a.hg-button { width:auto; flex:0 1 auto; min-width:88px; }
a.hg-button { display:inline-flex; align-items:center; justify-content:center;
  text-decoration:none; }
.hg-small { min-height:44px; font-size:14px; padding:4px 14px; }
.hg-form { display:flex; flex-direction:column; gap:6px; }
.hg-pair { display:grid; grid-template-columns:1fr 1fr; gap:10px; }
.hg-form .q-field, .hg-sheet .q-field, .hg-pair .q-field { width:100%; }
.hg-form .q-field__bottom, .hg-sheet .q-field__bottom { font-size:12.5px; line-height:1.35;
  padding:4px 2px 6px; color:var(--hg-dim); min-height:18px; }
.hg-form .q-field__messages { line-height:1.35; }
.hg-form .q-field--with-bottom { padding-bottom:0; }
.hg-form .q-field__bottom--animated, .hg-sheet .q-field__bottom--animated { position:static;
  transform:none; }
.hg-form .q-field--error .q-field__bottom { color:#ff8a8d; }
.hg-form .q-field--dark .q-field__control { background:#0f1623; }
.hg-form .q-field__label { font-size:15px; color:var(--hg-dim); }
.hg-fields { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));
  gap:8px 18px; align-items:start; }
.hg-switch { padding:6px 0 2px; } .hg-switch .hg-dim { padding-left:2px; }
.hg-bar-of { height:8px; border-radius:4px; background:var(--hg-line); overflow:hidden;
  margin:10px 0 6px; }
.hg-bar-of > div { height:100%; background:var(--hg-blue); border-radius:4px; width:0;
  transition:width .4s; }
.hg-bar-of.hg-unknown > div { width:30% !important; animation:hg-slide 1.6s infinite linear; }
@keyframes hg-slide { from { margin-left:-30%; } to { margin-left:100%; } }
@media (prefers-reduced-motion:reduce) { .hg-bar-of.hg-unknown > div { animation:none; } }
.hg-diff { font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; background:#0f1623;
  border:1px solid var(--hg-line); border-radius:8px; padding:10px 12px; overflow-x:auto;
  max-height:34vh; }
.hg-diff div { white-space:pre; } .hg-diff .hg-plus { color:#5fcf9a; }
.hg-diff .hg-minus { color:#ff8a8d; }
.hg-code { font:14px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; background:#0f1623;
  border:1px solid var(--hg-line); border-radius:8px; padding:8px 10px; overflow-wrap:anywhere; }
.hg-facts { display:grid; grid-template-columns:minmax(90px,auto) 1fr; gap:4px 14px; margin:8px 0; }
.hg-facts > :nth-child(odd) { color:var(--hg-dim); font-size:14px; }
.hg-facts > * { overflow-wrap:anywhere; min-width:0; }
.hg-scroll { overflow-x:auto; }
.hg-steps { display:flex; gap:6px; margin:2px 0 14px; }
.hg-step { flex:1 1 0; height:6px; border-radius:3px; background:var(--hg-line); }
.hg-step[data-state=done] { background:#3d6db3; }
.hg-step[data-state=now] { background:var(--hg-blue); }
.hg-narrowly { max-width:680px; margin:0 auto; width:100%; }
.hg-choice { display:flex; gap:12px; align-items:flex-start; width:100%; text-align:left;
  background:#0f1623; border:1px solid var(--hg-line); border-radius:10px; padding:12px 14px;
  color:var(--hg-ink); cursor:pointer; min-height:56px; font-size:15px; }
.hg-choice[aria-checked=true] { border-color:var(--hg-blue); background:#16223a; }
.hg-choice .hg-dot { flex:none; width:16px; height:16px; border-radius:8px; margin-top:3px;
  border:2px solid var(--hg-dim); }
.hg-choice[aria-checked=true] .hg-dot { border:5px solid var(--hg-blue); }
.hg-choice .hg-name { font-weight:600; display:block; }
.hg-choice:focus-visible, .hg-tab:focus-visible { outline:2px solid var(--hg-blue);
  outline-offset:2px; }
.hg-stack { display:flex; flex-direction:column; gap:10px; }
.hg-tabs { display:flex; gap:6px; overflow-x:auto; padding:2px; scrollbar-width:thin; }
@media (min-width:860px) { .hg-tabs { flex-wrap:wrap; } }
.hg-tab { flex:none; min-height:44px; padding:6px 14px; border-radius:22px; font-size:14px;
  border:1px solid var(--hg-line); background:none; color:var(--hg-dim); cursor:pointer; }
.hg-tab[aria-selected=true] { background:#1d2740; color:var(--hg-ink); font-weight:600; }
.hg-tab[data-state=bad] { color:#ff8a8d; border-color:#ff8a8d; }
.hg-stage { display:flex; gap:12px; align-items:baseline; padding:8px 0; color:var(--hg-dim); }
.hg-stage .hg-mark { flex:none; width:22px; text-align:center; font-weight:700; }
.hg-stage[data-state=now] { color:var(--hg-ink); font-weight:600; }
.hg-stage[data-state=done] .hg-mark { color:#5fcf9a; }
.hg-stage[data-state=bad] .hg-mark, .hg-stage[data-state=bad] { color:#ff8a8d; }
.hg-sticky { position:sticky; bottom:76px; z-index:20; background:var(--hg-card);
  border:1px solid var(--hg-blue); border-radius:12px; padding:10px 14px; display:flex;
  flex-wrap:wrap; gap:8px 14px; align-items:center; justify-content:space-between; }
.hg-sticky .hg-button { width:auto; min-width:110px; }
.hg-wide-sheet { width:min(640px,94vw) !important; max-width:none !important; }
.hg-details > summary { cursor:pointer; min-height:44px; display:flex; align-items:center;
  color:var(--hg-blue); font-size:14px; }
"""
