//! Units by name. In: a word. Out: its dimension and size.

use num_bigint::BigInt;
use num_rational::BigRational;

/// Names, dimension, power of the dimension, and size as a quotient. Lengths are in metres, masses in grams, times in
/// seconds, volumes in cubic metres, money in its own currency.
type Row = (&'static [&'static str], &'static str, i32, i64, i64);

const ROWS: [Row; 58] = [
    (
        &["m", "meter", "meters", "metre", "metres"],
        "length",
        1,
        1,
        1,
    ),
    (
        &[
            "cm",
            "centimeter",
            "centimeters",
            "centimetre",
            "centimetres",
        ],
        "length",
        1,
        1,
        100,
    ),
    (
        &[
            "mm",
            "millimeter",
            "millimeters",
            "millimetre",
            "millimetres",
        ],
        "length",
        1,
        1,
        1_000,
    ),
    (&["dm", "decimeter", "decimeters"], "length", 1, 1, 10),
    (
        &[
            "km",
            "kilometer",
            "kilometers",
            "kilometre",
            "kilometres",
            "kms",
        ],
        "length",
        1,
        1_000,
        1,
    ),
    (&["inch", "inches"], "length", 1, 127, 5_000),
    (&["ft", "foot", "feet"], "length", 1, 381, 1_250),
    (&["yd", "yds", "yard", "yards"], "length", 1, 1_143, 1_250),
    (&["mi", "mile", "miles"], "length", 1, 201_168, 125),
    (&["g", "gram", "grams", "gm", "gms"], "mass", 1, 1, 1),
    (
        &["kg", "kilogram", "kilograms", "kilo", "kilos", "kgs"],
        "mass",
        1,
        1_000,
        1,
    ),
    (&["mg", "milligram", "milligrams"], "mass", 1, 1, 1_000),
    (&["tonne", "tonnes"], "mass", 1, 1_000_000, 1),
    (
        &["lb", "lbs", "pound", "pounds"],
        "mass",
        1,
        45_359_237,
        100_000,
    ),
    (&["oz", "ounce", "ounces"], "mass", 1, 45_359_237, 1_600_000),
    (&["ton", "tons"], "mass", 1, 90_718_474, 100),
    (&["s", "sec", "secs", "second", "seconds"], "time", 1, 1, 1),
    (&["ms", "millisecond", "milliseconds"], "time", 1, 1, 1_000),
    (&["min", "mins", "minute", "minutes"], "time", 1, 60, 1),
    (&["h", "hr", "hrs", "hour", "hours"], "time", 1, 3_600, 1),
    (&["day", "days"], "time", 1, 86_400, 1),
    (&["week", "weeks"], "time", 1, 604_800, 1),
    (&["month", "months"], "months", 1, 1, 1),
    (&["year", "years", "yr", "yrs"], "months", 1, 12, 1),
    (
        &["l", "liter", "liters", "litre", "litres"],
        "length",
        3,
        1,
        1_000,
    ),
    (
        &[
            "ml",
            "milliliter",
            "milliliters",
            "millilitre",
            "millilitres",
            "cc",
        ],
        "length",
        3,
        1,
        1_000_000,
    ),
    (
        &["cl", "centiliter", "centiliters"],
        "length",
        3,
        1,
        100_000,
    ),
    (&["gallon", "gallons", "gal"], "gallons", 1, 1, 1),
    (&["quart", "quarts", "qt"], "gallons", 1, 1, 4),
    (&["pint", "pints"], "gallons", 1, 1, 8),
    (&["cup", "cups"], "gallons", 1, 1, 16),
    (&["acre", "acres"], "acres", 1, 1, 1),
    (&["ha", "hectare", "hectares"], "length", 2, 10_000, 1),
    (
        &["$", "dollar", "dollars", "usd", "buck", "bucks"],
        "dollars",
        1,
        1,
        1,
    ),
    (&["cent", "cents", "¢"], "dollars", 1, 1, 100),
    (&["€", "euro", "euros", "eur"], "euros", 1, 1, 1),
    (&["£", "gbp", "quid"], "sterling", 1, 1, 1),
    (&["pence", "penny"], "sterling", 1, 1, 100),
    (&["¥", "yen", "yuan", "jpy", "cny"], "yen", 1, 1, 1),
    (&["₹", "rupee", "rupees", "rs", "inr"], "rupees", 1, 1, 1),
    (&["%", "percent", "percentage", "pct"], "percent", 1, 1, 1),
    (&["degree", "degrees", "deg"], "degrees", 1, 1, 1),
    (&["radian", "radians", "rad"], "radians", 1, 1, 1),
    (&["n", "newton", "newtons"], "force", 1, 1, 1),
    (&["j", "joule", "joules"], "energy", 1, 1, 1),
    (&["kj", "kilojoule", "kilojoules"], "energy", 1, 1_000, 1),
    (&["w", "watt", "watts"], "power", 1, 1, 1),
    (&["kw", "kilowatt", "kilowatts"], "power", 1, 1_000, 1),
    (&["v", "volt", "volts"], "voltage", 1, 1, 1),
    (&["amp", "amps", "ampere", "amperes"], "current", 1, 1, 1),
    (&["ohm", "ohms"], "resistance", 1, 1, 1),
    (&["hz", "hertz"], "time", -1, 1, 1),
    (&["khz", "kilohertz"], "time", -1, 1_000, 1),
    (&["pa", "pascal", "pascals"], "pressure", 1, 1, 1),
    (&["mol", "mole", "moles"], "amount", 1, 1, 1),
    (&["kelvin", "k"], "temperature", 1, 1, 1),
    (&["celsius", "°c"], "celsius", 1, 1, 1),
    (&["fahrenheit", "°f"], "fahrenheit", 1, 1, 1),
];

/// A known unit: its dimension with a power, and its size.
pub(crate) struct Known {
    pub(crate) dimension: &'static str,
    pub(crate) power: i32,
    pub(crate) scale: BigRational,
}

/// The unit of a name; case does not matter.
pub(crate) fn unit(name: &str) -> Option<Known> {
    let name = name.to_lowercase();
    let (_, dimension, power, top, bottom) = ROWS
        .iter()
        .find(|(names, ..)| names.contains(&name.as_str()))?;
    Some(Known {
        dimension,
        power: *power,
        scale: BigRational::new(BigInt::from(*top), BigInt::from(*bottom)),
    })
}
