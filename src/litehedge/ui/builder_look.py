"""How the builder looks, on top of `theme`."""

from __future__ import annotations

from typing import Final

CSS: Final = """
.hg-build { display:grid; grid-template-columns:1fr; gap:12px; align-items:start; }
@media (min-width:860px) { .hg-build { grid-template-columns:minmax(0,2fr) minmax(0,1fr); }
  .hg-build .hg-shelf { position:sticky; top:66px; max-height:calc(100vh - 150px);
  overflow-y:auto; } }
.hg-blocks { display:grid; grid-template-columns:1fr; gap:12px; align-items:start;
  min-height:64px; }
@media (min-width:1100px) { .hg-blocks { grid-template-columns:repeat(2,minmax(0,1fr)); } }
.hg-blocks:empty::before, .hg-drop:empty::before { content:attr(data-hg-empty);
  color:var(--hg-dim); font-size:14px; padding:10px 8px; display:block; }
.hg-blocks:empty { border:1px dashed #3a4760; border-radius:12px; }
.hg-drop { border:1px dashed #33405a; border-radius:12px; padding:8px; display:flex;
  flex-direction:column; gap:8px; min-height:64px; }
.hg-box .hg-drop { min-height:56px; padding:6px; }
.hg-piece, .hg-box { background:#1b2535; border-radius:10px; min-width:0; }
.hg-box { padding:0 8px 8px; border:1px solid #2b3850; }
.hg-row { display:flex; align-items:center; gap:2px; min-height:48px; }
.hg-row > .hg-say { flex:1 1 auto; min-width:0; padding:6px 4px; overflow-wrap:anywhere;
  line-height:1.3; }
.hg-grip { flex:none; width:44px; height:44px; display:flex; align-items:center;
  justify-content:center; color:var(--hg-dim); cursor:grab; touch-action:none; font-size:20px;
  user-select:none; -webkit-user-select:none; }
.hg-grip:active { cursor:grabbing; }
.hg-icon { flex:none; width:44px; height:44px; color:#8ab4ff !important; }
.hg-edit { padding:0 10px 10px; display:flex; flex-wrap:wrap; gap:8px; }
.hg-edit > * { flex:1 1 110px; min-width:0; }
.hg-edit > .hg-whole { flex-basis:100%; }
.hg-piece .hg-problem, .hg-box > .hg-problem { padding:0 10px 10px 46px; }
.hg-wrong { outline:1px solid #b4484c; }
.hg-ghost { opacity:.35; }
.hg-drag { opacity:.95 !important; box-shadow:0 6px 24px #0008; background:#243149;
  border-radius:10px; color:var(--hg-ink); font-size:15px; }
.hg-head { display:flex; align-items:center; gap:4px; margin:-6px -8px 4px -10px; }
.hg-head .hg-does { flex:1 1 auto; min-width:0; }
.hg-head .hg-ratio { flex:0 0 76px; }
.hg-when { display:flex; align-items:center; gap:8px; margin:2px 0 8px; flex-wrap:wrap;
  font-weight:500; }
.hg-when .q-btn { min-height:44px; min-width:52px; }
.hg-block { padding-bottom:10px; }
@media (max-width:859px) { .hg-build .hg-card { padding:12px 10px; }
  .hg-build .hg-drop { padding:6px; } .hg-grip { width:38px; }
  .hg-head { margin-left:-4px; margin-right:-4px; } }
.hg-foot { display:grid; grid-template-columns:1fr 1fr; gap:8px; margin-top:8px; }
.hg-foot .hg-whole { grid-column:1 / -1; }
.hg-shelf .hg-drop { border-style:solid; border-color:transparent; padding:0; }
.hg-chips { display:flex; flex-wrap:wrap; gap:6px; margin:0 0 8px; }
.hg-chip { min-height:44px; padding:0 12px; border-radius:22px; border:1px solid var(--hg-line);
  background:none; color:var(--hg-ink); font-size:14px; cursor:pointer; }
.hg-chip[aria-pressed=true] { background:#26406b; border-color:#3d6db3; color:var(--hg-ink); }
.hg-tools { display:flex; flex-wrap:wrap; gap:8px; align-items:flex-start; }
.hg-tools > .hg-field { flex:1 1 200px; min-width:0; }
.hg-tools .hg-button { width:auto; flex:0 0 auto; }
.hg-sentences { margin:0; padding:0 0 0 20px; list-style:decimal; }
.hg-sentences li { margin:3px 0; overflow-wrap:anywhere; }
.hg-rule { border:0; border-top:1px solid var(--hg-line); margin:12px 0; width:100%; }
.hg-result { font-size:17px; font-weight:600; line-height:1.35; min-height:23px; }
.hg-result[data-state=wait] { color:var(--hg-dim); font-weight:500; }
.hg-result[data-state=bad] { color:#ff8a8d; }
.hg-sub { font-size:14px; font-weight:500; color:var(--hg-dim); margin:6px 0 0; }
.hg-chip:focus-visible, .hg-icon:focus-visible { outline:2px solid var(--hg-blue);
  outline-offset:2px; }
"""
