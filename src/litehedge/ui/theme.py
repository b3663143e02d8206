"""How the screen looks: colours of the reports, one column on a phone, targets of 44 px."""

from __future__ import annotations

from typing import Final

from litehedge.report.style import AMBER, BLUE, CARD, DIM, FONT, GREEN, GROUND, INK, LINE, RED

CSS: Final = f"""
:root {{ --hg-ground:{GROUND}; --hg-card:{CARD}; --hg-line:{LINE}; --hg-ink:{INK}; --hg-dim:{DIM};
  --hg-blue:{BLUE}; --hg-amber:{AMBER}; --hg-red:{RED}; --hg-green:{GREEN}; }}
body {{ background:var(--hg-ground) !important; color:var(--hg-ink); font-family:{FONT};
  font-size:15px; font-variant-numeric:tabular-nums; overflow-x:hidden; }}
.nicegui-content {{ padding:0 !important; gap:0; }}
a {{ color:var(--hg-blue); }}
[hidden] {{ display:none !important; }}
.hg-page {{ width:100%; max-width:1180px; margin:0 auto; padding:66px 12px 96px; display:flex;
  flex-direction:column; gap:12px; }}
.hg-top, .hg-bar {{ position:fixed; left:0; right:0; z-index:40; background:#141b2a;
  display:flex; align-items:center; }}
.hg-top {{ top:0; min-height:54px; border-bottom:1px solid var(--hg-line); padding:4px 12px;
  gap:8px; justify-content:flex-end; }}
.hg-top h1 {{ font-size:16px; font-weight:700; margin:0 auto 0 0; line-height:1.2;
  letter-spacing:0; }}
.hg-top .q-field {{ min-width:0; flex:0 1 auto; }}
@media (max-width:859px) {{ .hg-many h1 {{ position:absolute; left:-999px; }}
  .hg-many .q-field {{ margin-right:auto; }} }}
.hg-bar {{ bottom:0; border-top:1px solid var(--hg-line); justify-content:center; gap:4px;
  padding:6px max(8px, env(safe-area-inset-left)) calc(6px + env(safe-area-inset-bottom)); }}
.hg-place {{ flex:1 1 0; max-width:120px; min-height:48px; min-width:44px; display:flex;
  flex-direction:column; align-items:center; justify-content:center; font-size:12px;
  color:var(--hg-dim); text-decoration:none; background:none; border:0; border-radius:8px;
  cursor:pointer; }}
.hg-place i {{ font-size:20px; }}
.hg-place[aria-current] {{ color:var(--hg-ink); font-weight:600; }}
.hg-badge {{ border-radius:6px; padding:3px 8px; font-size:13px; font-weight:700; color:#0e1420;
  background:var(--hg-dim); white-space:nowrap; }}
.hg-badge[data-state=PAPER], .hg-badge[data-state=DEMO] {{ background:#7db2ff; }}
.hg-badge[data-state=LIVE] {{ background:#ff8a8d; }}
.hg-badge[data-state=ACTIVE] {{ background:#5fcf9a; }}
.hg-badge[data-state=REDUCING] {{ background:var(--hg-amber); }}
.hg-badge[data-state=HALTED] {{ background:#ff8a8d; }}
.hg-age {{ color:var(--hg-dim); font-size:13px; white-space:nowrap; }}
.hg-age[data-state=bad] {{ color:var(--hg-amber); font-weight:600; }}
.hg-stale {{ background:var(--hg-amber); color:#161003; border-radius:10px; padding:10px 14px;
  font-weight:600; }}
.hg-is-stale .hg-live {{ filter:grayscale(1); opacity:.9; border:1px dashed var(--hg-amber); }}
.hg-card {{ background:var(--hg-card); border:1px solid var(--hg-line);
  border-radius:12px; padding:14px 16px; width:100%; min-width:0; }}
.hg-card h2 {{ font-size:14px; font-weight:500; color:var(--hg-dim); margin:0 0 6px;
  line-height:1.3; letter-spacing:0; }}
.hg-hero {{ font-size:34px; font-weight:800; line-height:1.1; }}
.hg-dim {{ color:var(--hg-dim); font-size:13px; }}
.hg-caution {{ color:var(--hg-amber); font-size:14px; margin-top:4px; }}
.hg-split {{ display:flex; justify-content:space-between; gap:12px; flex-wrap:wrap; }}
.hg-tight {{ flex-wrap:nowrap; }}
.hg-tight > div {{ min-width:0; }}
.hg-right {{ text-align:right; }}
.hg-columns {{ display:grid; grid-template-columns:1fr; gap:12px; align-items:start; }}
@media (min-width:860px) {{ .hg-columns {{ grid-template-columns:minmax(0,2fr) minmax(0,1fr); }}
  .hg-narrow {{ display:none !important; }} }}
@media (max-width:859px) {{ .hg-wide {{ display:none !important; }} }}
.hg-column {{ display:flex; flex-direction:column; gap:12px; min-width:0; }}
.hg-track {{ position:relative; height:10px; border-radius:5px; margin:14px 8px 10px;
  background:linear-gradient(90deg, var(--hg-red) 0 12%, var(--hg-amber) 12% 35%,
  var(--hg-green) 35%); }}
.hg-track-plain {{ background:var(--hg-line); }}
.hg-knob {{ position:absolute; top:-4px; width:12px; height:18px; margin-left:-6px;
  border-radius:4px; background:#fff; border:1px solid #0e1420; }}
.hg-knob-next {{ background:var(--hg-blue); }}
.hg-band {{ position:absolute; top:0; bottom:0; border-radius:5px; background:#3d6db3; }}
.hg-table {{ width:100%; border-collapse:collapse; font-size:14px; }}
.hg-table th {{ color:var(--hg-dim); font-weight:500; text-align:right; padding:4px 4px; }}
.hg-table td {{ text-align:right; padding:4px 4px; border-top:1px solid var(--hg-line); }}
.hg-table :is(th,td):first-child {{ text-align:left; padding-left:0; }}
.hg-table :is(th,td) {{ white-space:nowrap; }}
span > div, th > div, td > div {{ display:inline; }}
.hg-lines {{ display:flex; flex-direction:column; }}
.hg-line {{ display:flex; gap:10px; padding:7px 0; border-top:1px solid var(--hg-line);
  color:var(--hg-ink); text-decoration:none; min-height:44px; align-items:baseline; }}
.hg-line:first-child {{ border-top:0; }}
.hg-line .hg-time {{ color:var(--hg-dim); font-size:13px; flex:none; }}
.hg-line .hg-text {{ min-width:0; overflow-wrap:anywhere; }}
.hg-line .hg-more {{ margin-left:auto; color:var(--hg-dim); font-size:13px; text-align:right; }}
.hg-line[data-state=bad] .hg-text {{ color:#ff8a8d; }}
.hg-line[data-state=done] .hg-text {{ color:#5fcf9a; }}
.hg-line[data-state=warn] .hg-text {{ color:var(--hg-amber); }}
.hg-sentence {{ margin-top:8px; overflow-wrap:anywhere; }}
.hg-button {{ min-height:48px; border-radius:8px; border:1px solid var(--hg-line); width:100%;
  background:#1d2740; color:var(--hg-ink); font-size:16px; font-weight:600; cursor:pointer;
  padding:8px 14px; }}
.hg-button:disabled {{ opacity:.45; cursor:not-allowed; }}
.hg-halt {{ background:#d6343a; color:#fff; border-color:#d6343a; }}
.hg-bar .hg-halt {{ width:auto; min-width:76px; }}
.hg-safe {{ background:var(--hg-blue); color:#0b1322; border-color:var(--hg-blue); }}
.hg-sheet {{ background:var(--hg-card) !important; color:var(--hg-ink); border:1px solid
  var(--hg-line); border-radius:12px !important; padding:18px; width:min(430px, 94vw);
  display:flex; flex-direction:column; gap:12px; box-shadow:none; }}
.hg-sheet h2 {{ font-size:20px; font-weight:700; margin:0; line-height:1.25; letter-spacing:0; }}
.hg-problem {{ color:#ff8a8d; font-size:14px; }}
.hg-chart {{ width:100%; height:340px; }}
.hg-note {{ border-left:3px solid var(--hg-blue); padding:6px 12px; background:#16223a;
  border-radius:0 8px 8px 0; }}
.hg-tour {{ list-style:none; counter-reset:tour; margin:0; padding:0; display:grid; gap:8px;
  grid-template-columns:1fr; }}
@media (min-width:860px) {{ .hg-tour {{ grid-template-columns:repeat(3, 1fr); }} }}
.hg-tour li {{ counter-increment:tour; background:#16223a; border-radius:8px;
  padding:8px 12px 8px 40px; position:relative; }}
.hg-tour li::before {{ content:counter(tour); }}
.hg-tour li::before, .hg-tour ~ .hg-columns [class*=hg-look-]::before {{ position:absolute;
  width:22px; height:22px; border-radius:11px; background:var(--hg-blue); color:#0b1322;
  font-weight:700; font-size:13px; display:flex; align-items:center; justify-content:center; }}
.hg-tour li::before {{ left:10px; top:9px; }}
.hg-tour ~ .hg-columns [class*=hg-look-] {{ position:relative; }}
.hg-tour ~ .hg-columns [class*=hg-look-]::before {{ left:-8px; top:-8px; }}
.hg-tour ~ .hg-columns .hg-look-1::before {{ content:"1"; }}
.hg-tour ~ .hg-columns .hg-look-2::before {{ content:"2"; }}
.hg-tour ~ .hg-columns .hg-look-3::before {{ content:"3"; }}
.hg-tag {{ border-radius:6px; padding:3px 8px; font-size:13px; font-weight:700; color:#0e1420;
  background:var(--hg-dim); white-space:nowrap; }}
.hg-tag[data-state=done] {{ background:#5fcf9a; }}
.hg-tag[data-state=bad] {{ background:#ff8a8d; }}
.hg-why {{ font-size:20px; font-weight:600; line-height:1.35; margin:10px 0 0; letter-spacing:0;
  overflow-wrap:anywhere; }}
.hg-sides {{ display:grid; grid-template-columns:1fr; gap:18px; margin-top:14px; }}
@media (min-width:860px) {{ .hg-sides {{ grid-template-columns:repeat(2, minmax(0,1fr)); }} }}
.hg-half {{ min-width:0; }}
.hg-bars {{ width:100%; margin:6px 0; }}
.hg-attention {{ width:100%; height:180px; }}
.hg-terms td:first-child {{ white-space:normal; color:var(--hg-dim); }}
.hg-terms td:last-child {{ width:1%; }}
.hg-base {{ align-items:baseline; }}
.hg-scroll {{ overflow-x:auto; }}
.hg-progress {{ height:6px; border-radius:3px; background:var(--hg-line); margin-top:6px;
  overflow:hidden; }}
.hg-progress > div {{ height:100%; background:var(--hg-blue); width:0; }}
.hg-verdict {{ padding:8px 0; border-top:1px solid var(--hg-line); overflow-wrap:anywhere; }}
.hg-verdict:first-of-type {{ border-top:0; }}
.hg-refusal {{ font-weight:700; color:#ff8a8d; font-size:14px; }}
.hg-chips {{ display:flex; gap:6px; flex-wrap:wrap; margin-bottom:4px; }}
.hg-chip {{ min-height:44px; min-width:44px; padding:0 12px; display:flex; align-items:center;
  border:1px solid var(--hg-line); border-radius:8px; color:var(--hg-dim); font-size:14px;
  text-decoration:none; }}
.hg-chip[aria-current] {{ color:var(--hg-ink); border-color:var(--hg-blue); font-weight:600; }}
.hg-line[aria-current] {{ background:#16223a; border-radius:8px; padding-left:8px;
  padding-right:8px; }}
.hg-clamp {{ display:-webkit-box; -webkit-line-clamp:3; -webkit-box-orient:vertical;
  overflow:hidden; }}
.hg-older {{ display:flex; align-items:center; justify-content:center; text-decoration:none;
  margin-top:8px; }}
.hg-heat {{ width:100%; height:430px; margin-top:8px; }}
.hg-small-chart {{ width:100%; height:150px; margin-top:8px; }}
.hg-twins {{ display:grid; grid-template-columns:1fr; gap:12px; }}
@media (min-width:860px) {{ .hg-twins {{ grid-template-columns:repeat(2, minmax(0,1fr)); }} }}
.hg-depth {{ display:grid; grid-template-columns:repeat(2, minmax(0,1fr)); gap:12px; }}
.hg-fill {{ height:8px; border-radius:4px; background:var(--hg-line); overflow:hidden; }}
.hg-fill > div {{ height:100%; width:0; }}
.hg-bid .hg-fill {{ direction:rtl; }}
.hg-bid .hg-fill > div {{ background:var(--hg-blue); }}
.hg-ask .hg-fill > div {{ background:var(--hg-amber); }}
.hg-dense .hg-line {{ min-height:0; padding:5px 0; font-size:14px; }}
.hg-dense .hg-more {{ flex:none; max-width:50%; }}
#why-rebuilt[data-state=bad] {{ color:var(--hg-amber); }}
.hg-chip:focus-visible, .hg-button:focus-visible, .hg-place:focus-visible, .hg-line:focus-visible {{
  outline:2px solid var(--hg-blue); outline-offset:2px; }}
.hg-skip {{ position:absolute; left:-999px; }}
.hg-skip:focus {{ left:8px; top:8px; z-index:99; background:#fff; color:#000; padding:8px; }}
"""
