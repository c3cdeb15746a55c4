"""Style sheet of the reports, with system fonts, light and dark mode, for paper and screens from 320 px."""

CSS = """
:root{color-scheme:light;--bg:#f7f7f4;--card:#fff;--ink:#1c2321;--soft:#56625f;--line:#e3e5df;
--tint:#f0f3ef;
--ebm:#0f766e;--base:#5b5bd6;--reference:#b4550b;--peer:#7b8a86;--ok:#116a31;--okbg:#e6f4ea;--warn:#7d5200;
--warnbg:#fdf3d7;--none:#56625f;--nonebg:#eceeea;
--bad:#b42318;--badbg:#fdeae8;--fan1:#0f766e26;--fan2:#0f766e4d;--band:#7b8a8633;--head:#0e3b37;
--headink:#eefaf7}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--bg:#101514;--card:#181f1d;
--ink:#e7ecea;--soft:#a2afab;--line:#2b3532;--tint:#1f2826;
--ebm:#3fc7b5;--base:#a3a4ff;--reference:#f2a35e;--peer:#8c9b97;--ok:#6fd08c;--okbg:#14301e;--warn:#f0c35a;
--warnbg:#352a0d;--none:#a2afab;--nonebg:#28312e;
--bad:#ff9b8f;--badbg:#3b1a17;--fan1:#3fc7b52b;--fan2:#3fc7b557;--band:#8c9b9738;--head:#0b2b28;
--headink:#eefaf7}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
overflow-wrap:break-word}
header.top{background:var(--head);color:var(--headink);padding:44px 24px 36px}
.inner{max-width:1032px;margin:0 auto}main,footer{max-width:1080px;margin:0 auto}
main{padding:8px 24px 24px}
.eyebrow{margin:0 0 10px;font-size:13px;letter-spacing:.08em;text-transform:uppercase;max-width:none}
h1{margin:0;font-size:clamp(22px,2.6vw,31px);line-height:1.25;font-weight:650;letter-spacing:-.012em;
text-wrap:balance;max-width:32em}
.lead{margin:16px 0 0;max-width:46em;font-size:17px}
.tiles{display:flex;flex-wrap:wrap;gap:1px;margin:28px 0 0;
background:#ffffff2e;
border:1px solid #ffffff2e;border-radius:12px;overflow:hidden}
.tile{flex:1 1 150px;background:var(--head);padding:14px 16px}
.tile b{display:block;white-space:nowrap;font-size:24px;
font-weight:620;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{font-size:13px;line-height:1.4;display:block;margin-top:4px}
nav{position:sticky;top:0;z-index:2;background:var(--bg);border-bottom:1px solid var(--line)}
nav ul{display:flex;flex-wrap:wrap;gap:4px 22px;max-width:1080px;margin:0 auto;padding:11px 24px;
list-style:none;white-space:nowrap}
nav a{color:var(--soft);text-decoration:none;font-size:14px}
nav a:hover,nav a:focus{color:var(--ink);text-decoration:underline}
section{margin:40px 0 0;scroll-margin-top:80px}
h2{font-size:24px;line-height:1.3;margin:0 0 6px;letter-spacing:-.01em}
h3{font-size:17px;margin:28px 0 4px}
h4{font-size:15px;margin:20px 0 4px}
p,li{max-width:46em}
section>p:first-of-type{margin-top:0}
.soft,figcaption{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:20px;margin:16px 0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px}
.pair>.card{margin:0;min-width:0}
.pair{margin:16px 0}
.box{border:1px solid var(--line);border-radius:12px;background:var(--card);margin:14px 0;overflow:hidden}
.scroll{overflow-x:auto}
.caption{margin:0;padding:12px 14px 9px;font-size:14px;color:var(--soft);max-width:none}
.scroll:focus-visible,.map:focus-visible{outline:2px solid var(--ebm);outline-offset:-2px}
table{border-collapse:collapse;width:100%;font-size:14.5px;font-variant-numeric:tabular-nums}
table+table{border-top:6px double var(--line)}
th,td{padding:8px 10px;text-align:right;border-top:1px solid var(--line);vertical-align:top}
thead th{color:var(--soft);font-weight:550;font-size:13px;line-height:1.35;vertical-align:bottom;border-top:0}
.caption+.scroll thead th{border-top:1px solid var(--line)}
th:first-child,td.words,th.words{text-align:left}
tbody th{font-weight:500;min-width:9.5em}
td.words,tbody th{overflow-wrap:anywhere}td.words{min-width:9em}
td.status{min-width:0}td.words:last-child{min-width:16em}
td.num{white-space:nowrap}td.num small{white-space:normal}
tr.ebm th{color:var(--ebm);font-weight:650}
tr.ebm td,tr.ebm th{background:var(--tint)}
tr.base th{color:var(--base)} tr.reference th{color:var(--reference)}
td.best{font-weight:700}
td small,th small{display:block;color:var(--soft);font-weight:400;font-size:12.5px;line-height:1.45}
.pill{display:inline-block;border-radius:99px;padding:1px 10px;font-size:12.5px;font-weight:600;
white-space:nowrap;background:var(--nonebg);color:var(--none)}
.pill.pass{background:var(--okbg);color:var(--ok)} .pill.warn{background:var(--warnbg);color:var(--warn)}
.pill.fail{background:var(--badbg);color:var(--bad)}
.big{font-size:19px;line-height:1.5}
figure{margin:0}figure h3{margin:0 0 10px}
figure svg{display:block;width:100%;height:auto;
font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg.narrow{display:none}
figcaption{font-size:14px;line-height:1.5;margin-top:10px;max-width:52em}
.map{overflow-x:auto}figure img{display:block;width:100%;height:auto;border-radius:10px;background:#fff}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13.5px;margin-bottom:8px}
.key{display:inline-flex;align-items:center;gap:7px}
figure svg.swatch{width:22px;height:12px;flex:none}
.tick,.axis{fill:var(--soft)}.row{fill:var(--ink);font-size:13.5px;paint-order:stroke;stroke:var(--card);
stroke-width:5px}
.grid{stroke:var(--line);stroke-width:1}.zero{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:5 4}
.now{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 4}
.stroke{fill:none;stroke:var(--peer);stroke-width:1.5;stroke-linejoin:round;stroke-dasharray:10 3 2 3}
.stroke.ebm{stroke:var(--ebm);stroke-width:2.4;stroke-dasharray:none}
.stroke.base{stroke:var(--base);stroke-width:2;stroke-dasharray:9 3}
.stroke.reference{stroke:var(--reference);stroke-width:2;stroke-dasharray:3 2}
.stroke.observed{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:none}.stroke.ideal{stroke:var(--soft);stroke-width:1.2;
stroke-dasharray:5 4}
.fill{fill:var(--peer)}.fill.ebm{fill:var(--ebm)}.fill.base{fill:var(--base)}
.fill.reference{fill:var(--reference)}.fill.alarm{fill:var(--bad)}
.fill.false-alarm{fill:var(--card);stroke:var(--bad);stroke-width:1.3}
.fill.pending{fill:var(--card);stroke:var(--soft);stroke-width:1.3}
.unknown{fill:none;stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
.edge{fill:none;stroke:var(--ebm);stroke-width:2.4}
.whisker{stroke:var(--peer);stroke-width:3;stroke-linecap:round}.whisker.base{stroke:var(--base)}
.whisker.reference{stroke:var(--reference)}.whisker.ebm{stroke:var(--ebm)}
.bar{fill:var(--ebm);opacity:.75}.band{fill:var(--band)}.fan1{fill:var(--fan1)}.fan2{fill:var(--fan2)}
.danger{fill:var(--bad);opacity:.85}
.place>rect{fill:transparent}.place>g{visibility:hidden;pointer-events:none}
.place:hover>g,.place:focus-visible>g{visibility:visible}.place:focus{outline:none}
.place path{stroke:var(--soft);stroke-width:1}.place text{fill:var(--ink);font-size:12.5px}
.place g rect{fill:var(--card);stroke:var(--soft);stroke-width:1}
.part{opacity:.6}.part.low{fill:var(--base)}.part.middle{fill:var(--band)}.part.high{fill:var(--reference)}
.better1{background:color-mix(in srgb,var(--ebm) 10%,transparent)}
.better2{background:color-mix(in srgb,var(--ebm) 20%,transparent)}
.better3{background:color-mix(in srgb,var(--ebm) 32%,transparent)}
.better4{background:color-mix(in srgb,var(--ebm) 45%,transparent)}
.worse1{background:color-mix(in srgb,var(--reference) 10%,transparent)}
.worse2{background:color-mix(in srgb,var(--reference) 20%,transparent)}
.worse3{background:color-mix(in srgb,var(--reference) 32%,transparent)}
.worse4{background:color-mix(in srgb,var(--reference) 45%,transparent)}
details{border:1px solid var(--line);border-radius:12px;background:var(--card);margin:14px 0}
summary{cursor:pointer;padding:11px 16px;font-weight:550}
details .box{border-width:1px 0 0;border-radius:0;margin:0}
details.zoom{border:0;margin:4px 0 0}
.zoom summary{padding:2px 0;font-size:13.5px;font-weight:400;
color:var(--soft);width:fit-content}
.zoom svg.large{width:auto;max-width:none}
figure:has(>.zoom[open])>svg{display:none}
dl{margin:0;display:grid;grid-template-columns:minmax(9em,13em) 1fr;gap:10px 24px}
dt{font-weight:620}dd{margin:0;max-width:44em}
td.code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{padding:20px 24px 48px;color:var(--soft);font-size:14px}
@media screen and (max-width:640px){
body{font-size:15.5px}header.top{padding:30px 16px 24px}main{padding:4px 16px 20px}
nav ul{flex-wrap:nowrap;padding:10px 16px;overflow-x:auto;scrollbar-width:none}section{scroll-margin-top:52px}
footer{padding:16px 16px 40px}
tr.model small.note{display:none}.map img{width:540px;max-width:none}.tile{flex-basis:40%;padding:12px}
.tile b{font-size:20px}
.card{padding:14px 12px}h2{font-size:21px}dl{grid-template-columns:1fr;gap:2px}dd{margin-bottom:12px}
svg.wide{display:none}svg.narrow{display:block}
th,td{padding:7px 10px}}
@page{margin:14mm 12mm}
@media print{:root{--bg:#fff;--head:#fff;--headink:#1c2321}body{font-size:10.5pt}
nav,.zoom,.place{display:none}
header.top{padding:0 0 12px}main{padding:0}.tiles{border-color:var(--line);background:var(--line)}
.tile{flex-basis:100px;padding:10px 12px}.tile b{font-size:18px}
footer{padding:12px 0 0}.inner,main,footer{max-width:none}
.scroll,.box,.map{overflow:visible}
details::details-content{content-visibility:visible;block-size:auto}summary{list-style:none}
table{font-size:10px}thead th,td small,th small{font-size:9.5px}
th,td{padding:4px 5px}
td.words,td.words:last-child{min-width:0}tbody th{min-width:7.5em}td.code{font-size:9px}
.pair{grid-template-columns:1fr 1fr;gap:10px}.pair>:last-child:nth-child(odd){grid-column:1/-1}
.card{padding:10px}p.big{font-size:12pt}figcaption,.legend,.caption{font-size:9pt}
.card,figure,tr,dt,dd,li,p{break-inside:avoid}h2,h3,.caption,summary,dt,
p:has(+.card),p:has(+.pair),p:has(+.box){break-after:avoid}
section{margin-top:22px}.pill,.swatch{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
