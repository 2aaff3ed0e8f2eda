"""Words of English and Spanish that are names as well, and those that tell nothing by themselves. Folded; data only.

Names by the United States Census (surnames of 2010) and the Social Security Administration (given names), as far as an
ordinary question about somebody would use them as words. A name that nobody would use so (Rivera, Clay) is not here: it
counts wherever it stands.
"""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NO_NAME = _set(
    """
    com org net gov edu mil www mail gmail email hotmail yahoo outlook icloud proton signal whatsapp mr mrs ms
    miss mx dr prof sir madam officer deputy sergeant sgt sarge detective det chief captain capt cpt lieutenant
    lt corporal cpl trooper agent ofc dispatcher jr sr sra srta oficial sargento agente capitan teniente jefe
    police sheriff dept department state city county fire ems policia please call text just
    wife husband son daughter mother father mom dad brother sister esposa esposo hijo hija madre padre hermano
    hermana anonymous anon nobody someone somebody none name anonimo nadie alguien nombre
    """
)
"""Of an address, a title, or what people write beside a name or in place of one."""

FUNCTION = _set(
    """
    a d i m s t an am as at be by do go ha he hi ho if in is it la le lo ma me mi my no of oh ok on or pa re so
    su to tu un up us va ve we ya ye yo al da de del di el en es ir ll ni se si te ti y o u e ah the and but for
    nor yet not you she her hers his him its our ours who how why what when where which that this these those
    they them their there here has had have was were are does did done can might must shall would could should
    ain aren couldn didn doesn don hadn hasn haven isn mustn shouldn wasn weren won wouldn been being than then
    thus too very with from into onto over under again once all any both each few more most other some such only
    own same now yes goes about after before above below between during out off down while because until also
    just let see say get got new news trans lens gas bus good con por para sin los las una uno unos unas que
    como cuando donde este esta esto ese esa eso son soy era fue han hay mas muy pero porque sus mis tus les nos
    dos tres mes ser estar tan ver voy sea
    """
)
"""What sentences are made of, and what a short name with an s would look like: a name only with a capital."""

MONTHS = frozenset({"april", "may", "june", "august"})
TIMELY = _set("in since by until till of last next this every early late mid during through and or en desde hasta")
"""What stands before a month."""
MODAL = frozenset({"may", "will", "mark", "grant", "chase", "rob", "sue", "bill", "frank", "pat", "hope", "long"})
"""Those that begin ordinary sentences, before nouns that look like verbs: "Will drinks help?"."""

WORDS = (
    MONTHS
    | MODAL
    | _set(
        """
    art bank banks bear bell best black bond bridge bright brown bush camp carry case cash chance charity
    christian church close cook cross day days dear drew duke early east eve fair faith field fields fine foster
    free friend frost gay glass gold grace graves gray green guy hall hand hard harmony haven heart heaven hill
    honor house hunt iron joy judge justice key kid king lake land lane law little lock love low luck lucky
    major man marshal mercy merit merry miles mind moody moon nice noble north ocean offer old page pain park
    parks part patience peace poor post power price pride quick race rain ray read rich river rock rose rush
    self serenity sharp short shore sides silver small snow song speaks spring steel stone storm strong summer
    summers sun sunny sweet swift tell temple toll true walk wall war ward water waters way weeks wells west
    white wild winter winters wise wolf wood woods work worth yard young abril amable amor azul barrera barreras
    bello blanca blanco bravo bueno calle calvo campo campos caridad casa casas consuelo cordero cortes delgado
    dolores domingo dulce duran esperanza estrella feliz flor flores guerra iglesia iglesias julio lago leal
    leon libertad linda luna luz mar mata mayo milagro milagros montes morales moreno noche palma pastor paz
    pena piedad pilar reina remedio remedios rey reyes rico rio rios roca rojas rojo rosa rubio sal salas salud
    santa santo santos sierra sol soledad suerte toro torre torres valle vela ventura verdad victoria viernes
    villa
    """
    )
)

DOERS = _set(
    """
    is was has had does did doesn didn isn wasn hasn hadn doesnt didnt isnt wasnt hasnt hadnt says said told
    tells thinks thought wanted needed seems went came esta estaba tiene dice dijo quiere bebe duerme
    """
)
"""Verbs that have somebody before them who does it."""
