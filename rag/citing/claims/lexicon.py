"""Closed classes of words that decide whether a sentence says what another says: negations, numbers, units, months,
comparisons, and the small words that say nothing by themselves. Folded: lower case, no accents.

Lists for English, German, French, Spanish, Italian, Portuguese, Dutch, Russian and Arabic. A language that has
no list
is checked all the same, with every one of its words counted.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOT = _words(
    """
    not no never nor neither none nobody nothing nowhere without cannot cant dont doesnt didnt isnt arent wasnt
    werent
    wont wouldnt shouldnt couldnt hasnt havent hadnt mustnt neednt aint hardly barely unable
    nicht nichts kein keine keinen keinem keiner keines nie niemals niemand nirgends weder ohne kaum keinerlei
    pas jamais aucun aucune rien personne sans nulle
    nunca jamas nada nadie ningun ninguna ninguno tampoco sin
    non nessuno nessuna niente nulla senza
    nao nem ninguem nenhum nenhuma sem
    niet geen nooit niemand niets zonder
    не нет ни никогда никто ничего без нельзя
    لا لم لن ليس ليست غير بدون دون
    """
)
"""Words that deny. French `ne` is left out where `pas` says it; `ni` and `no` are in no other class."""

NOT_CHARS = ("不", "没", "沒", "无", "無", "未", "非", "ない", "なかった", "ません", "ず", "ไม่")

LIGHT = _words(
    """
    a an and are as at be been being but by can could did do does doing for from had has have having he her him
    his how i if in
    into is it its itself me my of on or our own she should so such than that the their them then there these
    they this those to was
    we were what when where which while who whom whose why will with would you your about also am may might
    shall must upon
    within among amongst both each either however moreover furthermore thus hence therefore because since though
    although whether per via called named known s t re ve ll d m get gets got
    become becomes became use uses used using let lets just very too now here out off up down again some any
    other others another during
    s.a e.g i.e etc still already yet rather quite
    der die das den dem des und ist sind war waren wird werden wurde wurden worden ein eine einen einem einer
    eines in im ins am an auf aus
    bei beim mit nach von vom vor zu zum zur uber unter durch fur gegen um als auch aber oder wie so sich er sie es
    ihr ihre ihren ihrem ihrer ihres sein seine seinen seinem seiner seines hat haben hatte hatten kann konnen
    konnte konnten muss mussen soll sollen
    darf durfen dass da dann denn doch noch nur schon sehr dieser diese dieses diesen diesem jener welche
    welcher welches
    man wir uns was wenn weil wahrend wer wo dort hier dabei dazu damit daran darin davon sowie bis seit ab ob
    laut gemass pro je etwa ungefahr circa zirka derzeit momentan gegenwartig
    le la les l un une des du de d et ou est sont etait etaient ete etre a ont avait avaient avoir au aux en
    dans par pour sur
    sous avec ce cet cette ces se s son sa ses leur leurs il elle ils elles on nous vous que qu qui quoi dont ou
    lequel
    laquelle y ne n plus tres aussi comme mais donc car si selon entre vers lors fut furent peut peuvent doit
    doivent c j m t ne
    el los las lo al del una unos unas es son era eran fue fueron ser sido esta estan estaba estaban ha han
    habia haber su
    sus e o u pero como que quien cual cuyo con por para sobre entre desde hasta se le les tambien muy ya mas
    segun puede
    pueden debe este estos estas ese esa eso cuando donde
    il gli i uno della dello dei degli delle nel nella sul di da con che chi e ed sono era stato stata anche
    come piu
    o os as um uma do da dos das no na nos nas em ao aos pelo pela com ser foi foram sao era eram esta estao tem mas
    het een van en of op te aan bij voor naar door uit dat deze dit zijn was waren werd worden wordt is die er
    ook maar als
    и в во на с со к ко по за из от до о об у при для как что это этот эта эти тот который которая которые
    которое он она оно они
    его ее их был была было были быть есть а но или же бы ли так также то
    في من على إلى الى عن مع هو هي هم كان كانت يكون أن ان إن الذي التي هذا هذه ذلك تلك و او أو ثم قد كما ما كل بين
    """
)
"""Words whose absence changes no claim."""

STRICT = _words(
    """
    only all every always most more less fewer least except unless before after until above below over under
    first last
    increase decrease increased decreased increases decreases rose fell rise fall rises falls higher lower
    larger smaller
    minimum maximum enable disable enabled disabled allow forbid allowed forbidden true false best worst longer
    shorter
    north south east west northern southern eastern western left right won lost win lose winning losing accept
    reject
    failed fails early late earlier later sometimes rarely often many few half double triple mandatory
    optional required
    former latter open closed add remove added removed buy sell bought sold old new older newer oldest newest
    largest
    smallest highest lowest fastest slowest hot cold day night
    nur alle immer mehr weniger meisten mindestens hochstens ausser erste letzte stieg sank hoher niedriger
    grosser kleiner nord sud
    ost west gewann verlor wahr falsch manchmal selten oft viele wenige halb doppelt
    seulement tous toutes toujours moins avant apres premier derniere dernier premiere nord sud est ouest
    parfois souvent
    solo todos todas siempre menos antes despues primero ultimo norte sur este oeste veces
    """
)
"""Words that turn a claim around when they are put in or exchanged: never among those that a paraphrase may add."""

MORE = _words("more older over above exceeding least minimum mehr mindestens uber plus mas superieur au-dela superior")
LESS = _words("less fewer younger under below most maximum weniger hochstens unter moins menos inferieur inferior")
BEFORE = _words("before until vor bis avant jusqu antes hasta prior")
AFTER = _words("after since nach seit apres depuis despues desde following")

LIMITS: dict[str, str] = {
    word: limit
    for words, limit in ((BEFORE, "before"), (AFTER, "after"), (LESS, "less"), (MORE, "more"))
    for word in words
}
"""Which comparison a word makes; of two the last."""

PRONOUNS = _words(
    "he she it they him them this these his her its their er sie es ihn ihm ihr ihre ihren ihrem ihrer ihres sein "
    "seine seinen seinem seiner seines dieser diese dieses il elle ils elles ce cette ces el ella "
    "ellos ellas este esta estos estas он она оно они это 他 她 它"
)
PERSONS = _words("he she his her him they their er")
CLAUSES = _words(
    "and but or while whereas although because which who und aber oder sondern wahrend weil et ou mais qui y o pero e "
    "mientras и а но или который و"
)
"""Words that begin another clause."""

BY = _words("by von vom durch par por da door 被 由 من")
ROLES = _words(
    "in at on from to into for with of against under over between near via during about through after before than as "
    "aus bei mit nach zu zum zur fur gegen uber unter im am auf als vor de des du a au aux en dans pour avec sur vers "
    "per pro je contre chez del al con para sobre desde hasta di da из в на к от до с для за в من في إلى على"
)
"""Prepositions: they say which part a name or number plays, wherever it stands in the sentence."""

BE = _words("is are was were be been being isnt arent wasnt werent")
AUXILIARIES = _words(
    "has have had can could may might must shall should will would do does did to that which who he she it they we you "
    "not cannot never dont doesnt didnt wont cant"
)
DETERMINERS = _words("a an the this these those its his her their my our your some any each every no another of in on")
RELATIVE = _words("which who whom whose that der die das dem den deren dessen welche welcher welches qui que dont")

OPPOSED = frozenset(
    pair
    for one, two in (("from", "to"), ("from", "into"), ("for", "against"), ("aus", "nach"), ("fur", "gegen"))
    for pair in ((one, two), (two, one))
)
"""Prepositions that say the opposite of each other."""

_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_COUNTED = {
    "en": _ENGLISH,
    "de": (
        "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn "
        "sechzehn siebzehn achtzehn neunzehn zwanzig"
    ),
    "fr": (
        "- - deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
        "dix-sept dix-huit dix-neuf vingt"
    ),
    "es": (
        "cero - dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
        "dieciseis diecisiete dieciocho diecinueve veinte"
    ),
    "it": "- - due tre quattro cinque sei sette - nove dieci undici dodici",
    "pt": "- - dois tres quatro cinco seis sete oito nove dez onze doze",
    "nl": "- - twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "ru": "ноль - два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
    "ar": "- - اثنان ثلاثة اربعة خمسة ستة سبعة ثمانية تسعة عشرة",
}
NUMBERS: dict[str, int] = {
    word: number for words in _COUNTED.values() for number, word in enumerate(words.split()) if word not in ("-", "sei")
}
NUMBERS |= {
    "twice": 2, "thrice": 3, "zweimal": 2, "dreimal": 3, "viermal": 4,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "dreissig": 30, "vierzig": 40, "funfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90,
    "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
    "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70, "ochenta": 80, "noventa": 90,
    "hundred": 100, "hundert": 100, "cent": 100, "cien": 100, "ciento": 100, "dozen": 12, "dutzend": 12,
    "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "dritte": 3, "dritten": 3, "vierte": 4, "vierten": 4, "funfte": 5, "funften": 5,
    "troisieme": 3, "quatrieme": 4, "cinquieme": 5, "tercero": 3, "tercera": 3,
    "две": 2, "двух": 2, "трех": 3, "четырех": 4, "пяти": 5,
}  # fmt: skip
"""Written-out numbers. `one` and its kin are articles in most languages and are no numbers here but in English."""

TIMES = _words("twice thrice zweimal dreimal viermal")

SCALES: dict[str, int] = {
    "thousand": 3, "tausend": 3, "mille": 3, "mil": 3, "тысяч": 3, "тысячи": 3, "тыс": 3,
    "million": 6, "millions": 6, "millionen": 6, "mio": 6, "millon": 6, "millones": 6, "milione": 6, "milioni": 6,
    "milhao": 6, "milhoes": 6, "миллион": 6, "миллиона": 6, "миллионов": 6, "млн": 6, "mn": 6, "مليون": 6,
    "billion": 9, "billions": 9, "bn": 9, "milliarde": 9, "milliarden": 9, "milliard": 9, "milliards": 9, "mrd": 9,
    "миллиард": 9, "миллиарда": 9, "миллиардов": 9, "млрд": 9, "مليار": 9,
    "trillion": 12, "trillions": 12, "billionen": 12, "billones": 12,
    "万": 4, "萬": 4, "亿": 8, "億": 8, "千": 3,
}  # fmt: skip
"""Words that multiply the number before them by a power of ten."""

_UNITS = {
    "%": "% percent percents prozent percentage процент процента процентов بالمئة ％ ٪",
    "$": "$ dollar dollars usd us$ dolares dolar доллар доллара долларов 美元 ドル",
    "€": "€ euro euros eur евро 欧元 ユーロ",
    "£": "£ pound pounds gbp pfund livres libras",
    "¥": "¥ yen yuan rmb jpy cny 円 元 日元",
    "s": "s sec secs seconds sekunde sekunden seconde secondes segundo segundos секунд секунды 秒",
    "min": "min mins minute minutes minuten minuto minutos минут минуты 分钟",
    "h": "h hr hrs hour hours stunde stunden heure heures hora horas час часа часов 小时 時間",
    "day": "day days tag tage tagen jour jours dia dias день дня дней 天 日間 أيام يوم",
    "week": "week weeks woche wochen semaine semaines semana semanas неделя недели недель 周 週間",
    "month": "month months monat monate monaten mois mes meses месяц месяца месяцев 个月 か月",
    "year": "year years jahr jahre jahren an ans annee annees ano anos год года лет 年間",
    "times": "times fach mal veces fois",
    "mm": "mm millimetre millimetres millimeter millimeters",
    "cm": "cm centimetre centimetres centimeter centimeters zentimeter",
    "m": "m metre metres meter meters metern metros metro метр метра метров 米 メートル",
    "km": "km kilometre kilometres kilometer kilometers kilometern kilometros километр километров 公里 千米",
    "mile": "mile miles meile meilen",
    "foot": "foot feet ft",
    "g": "g gram grams gramm grammes gramos",
    "kg": "kg kilogram kilograms kilogramm kilo kilos 公斤 千克",
    "t": "tonne tonnes ton tons tonnen toneladas",
    "B": "byte bytes", "KB": "kb kilobyte kilobytes", "MB": "mb megabyte megabytes", "GB": "gb gigabyte gigabytes",
    "TB": "tb terabyte terabytes", "ms": "ms millisecond milliseconds millisekunden",
    "°C": "°c celsius", "°F": "°f fahrenheit",
}  # fmt: skip
UNITS: dict[str, str] = {word: unit for unit, words in _UNITS.items() for word in words.split()}

_DIMENSIONS = ("B KB MB GB TB", "ms s min h day week month year", "mm cm m km mile foot", "g kg t", "$ € £ ¥", "°C °F")
DIMENSIONS: dict[str, int] = {unit: number for number, units in enumerate(_DIMENSIONS) for unit in units.split()}
"""Which units measure the same thing."""

_MONTHS = """
    january jan januar janvier enero gennaio janeiro januari января январь
    february feb februar fevrier febrero febbraio fevereiro februari февраля февраль
    march mar marz mars marzo marco maart марта март
    april apr avril abril aprile апреля апрель
    may mai mayo maggio maio mei мая май
    june jun juni juin junio giugno junho июня июнь
    july jul juli juillet julio luglio julho июля июль
    august aug aout agosto augustus августа август
    september sep sept septembre septiembre settembre setembro сентября сентябрь
    october oct oktober okt octobre octubre ottobre outubro октября октябрь
    november nov novembre noviembre novembro ноября ноябрь
    december dec dezember dez decembre diciembre dicembre dezembro декабря декабрь
"""
MONTHS: dict[str, int] = {
    word: number for number, line in enumerate(_MONTHS.strip().splitlines(), 1) for word in line.split()
}

_IRREGULAR = """
    be:is,are,was,were,been write:wrote,written give:gave,given take:took,taken make:made find:found hold:held
    keep:kept
    lead:led leave:left build:built send:sent spend:spent win:won begin:began,begun grow:grew,grown know:knew,known
    show:shown see:saw,seen say:said tell:told think:thought bring:brought buy:bought teach:taught catch:caught
    fight:fought seek:sought sell:sold run:ran come:came become:became rise:rose,risen fall:fell,fallen
    drive:drove,driven
    choose:chose,chosen speak:spoke,spoken break:broke,broken steal:stole,stolen wear:wore,worn draw:drew,drawn
    fly:flew,flown eat:ate,eaten go:went,gone do:did,done have:had,has lose:lost meet:met pay:paid lay:laid
    mean:meant
    sing:sang,sung drink:drank,drunk swim:swam,swum sit:sat stand:stood understand:understood bear:born,bore
    child:children man:men woman:women foot:feet mouse:mice person:people life:lives leaf:leaves half:halves
    schreiben:schrieb,geschrieben finden:fand,gefunden geben:gab,gegeben nehmen:nahm,genommen
    bringen:brachte,gebracht
    bauen:gebaut,baute fangen:fing,gefangen halten:halt,hielt,gehalten schlafen:schlief,geschlafen,schlaft
    essen:ass,gegessen,isst fressen:frass,frisst,gefressen liegen:lag,gelegen stehen:stand,gestanden
    gehen:ging,gegangen
    kommen:kam,gekommen beginnen:begann,begonnen gewinnen:gewann,gewonnen verlieren:verlor,verloren
    entwerfen:entwarf,entworfen werfen:warf,geworfen ziehen:zog,gezogen schliessen:schloss,geschlossen
    schlagen:schlug,geschlagen treffen:traf,getroffen helfen:half,geholfen fahren:fuhr,gefahren rufen:rief,gerufen
    werden:wurde,geworden sterben:starb,gestorben leiten:geleitet lesen:las,gelesen,liest tragen:trug,getragen,tragt
"""
ROOTS: dict[str, str] = {
    form: root for pair in _IRREGULAR.split() for root, forms in [pair.split(":")] for form in forms.split(",")
}
"""Irregular forms of frequent words."""

ABBREVIATIONS = _words(
    "st no nr vs mr mrs ms dr prof jr sr inc co corp ltd mt ft fig vol p pp ed al ca approx bzw abs art bd usw "
    "vgl evtl ggf jan feb mar apr jun jul aug sep sept oct nov dec dez u.s u.k e.g i.e z.b gen col "
    "lt sgt capt gov sen rep rev "
    "hon str zzgl inkl min max cf etc resp mme mlle sra av eds tel bspw d.h u.a"
)
"""What may stand before a full stop that ends no sentence."""
