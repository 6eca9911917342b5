with

days as (

    select days.day_number
    from generate_series(0, date '2039-12-31' - date '2010-01-01') as days (day_number)

),

final as (

    select date '2010-01-01' + day_number as date_day
    from days

)

select * from final
