"""The characters of spoken numbers, and one form of each for the rules to look at.

All rules are written in simplified characters and look at a *folded* text: the same length, with each traditional
or variant character in its simplified form. What is written in the end comes from the text itself, so the
characters between the numbers stay in the script in which they came.
"""

from __future__ import annotations

import re

DIGIT_VALUES = dict(zip("〇零一二三四五六七八九幺", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1), strict=True))
DIGITS = "".join(DIGIT_VALUES)
UNITS = "十百千万亿"
NUMERALS = DIGITS + "两" + UNITS
# 千 belongs to the unit in 三千克 and 八千瓦; in 五千米 only where nothing else could be meant (三点五千米, 十千米).
RUN = re.compile(
    f"[{NUMERALS}]+?(?=千[克瓦卡帕赫])|(?<=点)[{DIGITS}]+(?=千米)|[{NUMERALS}]+?(?<=[十百])(?=千米)|[{NUMERALS}]+"
)

# the traditional and variant characters of the rules and of kept_words.txt, and under them the simplified ones
_TO_SIMPLIFIED = (
    (
        "錢萬緯當開發鐵機撥學兩號雙個歲塊層樓頁條張噸臺輛間種項門節課屆組隊場餘來億點時顆對戶頭達劍穩喫飯裏裡陰曆歷兇電話運動樣溫",
        "钱万纬当开发铁机拨学两号双个岁块层楼页条张吨台辆间种项门节课届组队场余来亿点时颗对户头达剑稳吃饭里里阴历历凶电话运动样温",
    ),
    (
        "舊攝過飛關紀館頃級華覺軍彎轉長約週車帶碼強煩惱絲禮國慶鬧鐘鍾這後氣臟髒筆燒韓遷爲義貫戰爭數於減滿會東經幣結兒茲驢藝負惡鎊",
        "旧摄过飞关纪馆顷级华觉军弯转长约周车带码强烦恼丝礼国庆闹钟钟这后气脏脏笔烧韩迁为义贯战争数于减满会东经币结儿兹驴艺负恶镑",
    ),
    (
        "連徵農園麗變驗證黃牀準龍寵愛邊單將順勝擔勞圓職納嗎賣買貴從歐幾寶見傳雲樹畝閏體麼獄計議聞盜離臘釐羅漢編帥釵線婦為隻壓無區",
        "连征农园丽变验证黄床准龙宠爱边单将顺胜担劳圆职纳吗卖买贵从欧几宝见传云树亩闰体么狱计议闻盗离腊厘罗汉编帅钗线妇为只压无区",
    ),
    ("產棄員麽説熱氣復讀書腸聲價緣蟲砲", "产弃员么说热气复读书肠声价缘虫炮"),
)
_FORMAL = dict(zip("壹贰貳弍叁叄參肆伍陆陸柒捌玖拾佰仟", "一二二二三三三四五六六七八九十百千", strict=True))
_TABLE = str.maketrans(
    {old: new for pair in _TO_SIMPLIFIED for old, new in zip(*pair, strict=True)} | {"○": "〇"}
)

_FORMAL_RUN = re.compile(f"[零〇万亿{''.join(_FORMAL)}]{{2,}}")
_FORMAL_UNITS = set("拾佰仟")
_SPOKEN_ONES = re.compile(f"(?<![什怎这那要多甚])[{DIGITS}么]{{2,}}")


def fold(text: str) -> str:
    """Return ``text`` in the characters of the rules; character for character, so positions stay the same.

    Amounts in the characters of cheques (壹仟贰佰) become plain numerals. 么 among digits is 幺, the spoken one:
    OpenCC writes it so for Taiwan.
    """
    folded = text.translate(_TABLE)
    folded = _FORMAL_RUN.sub(lambda match: _plain(match[0]), folded)
    return _SPOKEN_ONES.sub(lambda match: _with_ones(match[0]), folded)


def _plain(run: str) -> str:
    """Return a cheque's numerals as plain ones; not 伍 and 陆 in names, where no unit is near."""
    if _FORMAL_UNITS.isdisjoint(run) or run[0] not in _FORMAL:
        return run
    return "".join(_FORMAL.get(each, each) for each in run)


def _with_ones(run: str) -> str:
    """Return digits with 幺 for 么. A 么 after a single digit asks a question, and without digits it is a word."""
    digits = len(run) - run.count("么")
    last = run.rstrip("么") if digits < 2 else run
    return last.replace("么", "幺") + run[len(last) :] if digits else run
