"""The ECharts bundle in the installed NiceGUI: found, cut to a script, and missed loudly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from litehedge.errors import LitehedgeError
from litehedge.report import echarts

INDEX = 'import{aS as a,aT as r}from"./index-Xy_1.js";export{a as echarts,r as loadEchartsGL};\n'
BUNDLE = (
    'const q="</script>",zK={init:1};export{q as $,zK as aS,q as aT};\n//# sourceMappingURL=x.map\n'
)


def wheel(folder: Path, index: str = INDEX, bundle: str = BUNDLE) -> Path:
    (folder / "index.js").write_text(index, encoding="utf-8")
    (folder / "index-Xy_1.js").write_text(bundle, encoding="utf-8")
    return folder


def test_the_installed_nicegui_carries_echarts_where_we_look() -> None:
    script = echarts.script(echarts.dist_folder())
    local = re.search(r"globalThis\.litehedgeECharts=([\w$]+);\s*$", script)
    assert local is not None, "NiceGUI has changed how it exports ECharts: see report/echarts.py"
    made = re.search(rf"\bconst {re.escape(local[1])}=(.{{200}})", script)
    assert made is not None
    assert "Object.freeze(" in made[1], "the exported name is not ECharts' namespace"
    for used in ("init:", "connect:", "version:"):
        assert used in script[made.start() :]


def test_the_installed_bundle_can_stand_inside_a_page() -> None:
    script = echarts.script(echarts.dist_folder())
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert "sourceMappingURL" not in script
    assert not re.search(r"\bexport\s*\{", script)
    assert not re.search(r"\bimport\s*[{*\"']", script)
    addresses = set(re.findall(r"https?://[^\"'\s]+", script))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)


def test_the_export_name_is_read_and_not_assumed(tmp_path: Path) -> None:
    script = echarts.script(wheel(tmp_path))
    assert script.endswith("globalThis.litehedgeECharts=zK;\n")
    assert "<\\/script>" in script


@pytest.mark.parametrize(
    ("index", "bundle"),
    [
        ("export default 1;", BUNDLE),
        (INDEX.replace("a as echarts", "a as graphs"), BUNDLE),
        (INDEX, BUNDLE.replace("zK as aS,", "")),
        (INDEX, "const zK=1;"),
        (INDEX.replace("index-Xy_1", "elsewhere"), BUNDLE),
    ],
)
def test_another_layout_is_refused_with_a_remedy(tmp_path: Path, index: str, bundle: str) -> None:
    with pytest.raises(LitehedgeError) as refused:
        echarts.script(wheel(tmp_path, index, bundle))
    assert "reports cannot be drawn" in refused.value.what
    assert "nicegui" in refused.value.remedy


def test_without_nicegui_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LitehedgeError, match="NiceGUI is not installed"):
        echarts.dist_folder()
